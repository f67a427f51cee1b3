/*
 * Raw frames (R) in C: frames of a fixed length, with error correction, on a noisy byte pipe.
 *
 * Section 9 of docs/protocol.md is the authority. Superframes are packed as in P packets (see
 * edge_get_code()), so a bridge passes them on as they are.
 */
#ifndef EDGE_RAW_H
#define EDGE_RAW_H

#include "edge_fec.h"
#include "edge_link.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Longest frame that fits the contexts, marker included. */
#ifndef EDGE_MAX_FRAME_BYTES
#define EDGE_MAX_FRAME_BYTES 256
#endif
#define EDGE_MARKER_BYTES 4
/** How far from its place a marker is looked for once frames are found. */
#define EDGE_WINDOW_BYTES 4

/** Sizes of the frames of one profile. */
typedef struct {
    edge_profile_t profile;
    uint8_t groups;        /**< Parts of the base class with a checksum each. */
    uint8_t group_frames;  /**< Code frames of one group. */
    uint16_t base_bits;    /**< Base block before coding, tail included. */
    uint16_t upper_bits;   /**< Upper block before coding; 0: all layers are base. */
    uint16_t body_bits;    /**< Bits behind the marker, whole bytes. */
    uint16_t stride;       /**< Of the interleaver. */
    uint16_t frame_bytes;  /**< Marker and body. */
} edge_raw_format_t;

/** The first three bytes of a packet's header, without flags. */
typedef struct {
    edge_type_t type;  /**< EDGE_VOICE, EDGE_HELLO or EDGE_END. */
    uint8_t stream_tag;
    uint8_t sequence;
} edge_raw_header_t;

/** Memory for decoding one frame; all zeros to begin with. Private. */
typedef struct {
    const int8_t *soft;  /* Soft bits of the body; NULL: hard ones, in `body`. */
    edge_list_t *list;   /* NULL: one path for each block. */
    uint8_t paths;
    edge_viterbi_t viterbi;
    uint8_t bits[(EDGE_MAX_BLOCK_BITS + 7) / 8];
    uint8_t body[EDGE_MAX_FRAME_BYTES - EDGE_MARKER_BYTES];
    uint8_t base[EDGE_MAX_BASE_BYTES];
    uint8_t enhancement[EDGE_MAX_CONTENT_BYTES];
} edge_raw_decoder_t;

/** The receiving end of a raw link. Private but for `session.stats`. */
typedef struct {
    edge_session_t session;
    edge_raw_format_t format;
    edge_raw_header_t expected;  /* Of the next VOICE frame. */
    bool has_expected;
    bool is_locked;
    bool is_found;               /* A marker is at `place`, or taken for granted there. */
    uint8_t wrong_bits;          /* Of that marker. */
    uint16_t place;
    uint16_t used;
    uint8_t buffer[EDGE_MAX_FRAME_BYTES + 2 * EDGE_WINDOW_BYTES];
    edge_raw_decoder_t decoder;
} edge_raw_rx_t;

/**
 * The profile of modes R500 to R6000, 1 to 12 layers; false: there is none.
 *
 * HELLO is sent twice before the first voice, then every 5 s.
 */
bool edge_raw_profile(uint8_t layers, edge_profile_t *profile);

/**
 * Sizes of the frames of a profile.
 *
 * @return false: the profile is not valid, its superframe is not a whole number of groups, or
 *         EDGE_MAX_FRAME_BYTES or EDGE_MAX_BLOCK_BITS is too small for it.
 */
bool edge_raw_format(const edge_profile_t *profile, edge_raw_format_t *format);

/** Add the whitening sequence, or take it away. */
void edge_raw_whiten(uint8_t *data, size_t size);

/**
 * The frame of one superframe.
 *
 * @param base         edge_base_bytes() of packed codes.
 * @param enhancement  All upper layers, packed, spare bits zero; NULL if there are none.
 * @param frame        Room for format->frame_bytes.
 */
void edge_raw_pack_voice(const edge_raw_format_t *format, uint8_t stream_tag,
                         uint8_t sequence, const uint8_t *base, const uint8_t *enhancement,
                         uint8_t *frame);

/**
 * The frame of HELLO or END.
 *
 * @param type   EDGE_HELLO or EDGE_END.
 * @param frame  Room for format->frame_bytes.
 * @return false: the HELLO is not valid.
 */
bool edge_raw_pack_hello(const edge_raw_format_t *format, edge_type_t type,
                         uint8_t stream_tag, uint8_t sequence, const edge_hello_t *hello,
                         uint8_t *frame);

/** The 48 bits of a header's two Golay words. */
uint64_t edge_raw_code_header(const edge_raw_header_t *header);

/** Inverse of edge_raw_code_header(); false: too many errors, or it means nothing. */
bool edge_raw_decode_header(uint64_t coded, edge_raw_header_t *header);

/**
 * Where a block fails its checksum, try up to `paths` likely ones: more survive more errors.
 *
 * @param list   Stays in use; NULL: only the likeliest block counts, as at the beginning.
 * @param paths  1 to EDGE_MAX_PATHS.
 */
void edge_raw_use_list(edge_raw_decoder_t *decoder, edge_list_t *list, uint8_t paths);

/** Take away the whitening of a body; returns the 48 received bits of its header. */
uint64_t edge_raw_open(const edge_raw_format_t *format, edge_raw_decoder_t *decoder,
                       const uint8_t *body);

/**
 * The same with soft bits, from a demodulator that tells how sure it is.
 *
 * @param soft  format->body_bits values as received, -127 for a sure 0 to 127 for a sure 1;
 *              changed in place, and in use until the next body is opened.
 */
uint64_t edge_raw_open_soft(const edge_raw_format_t *format, edge_raw_decoder_t *decoder,
                            int8_t *soft);

/** What survived of a VOICE body that was opened; false: not one frame. */
bool edge_raw_decode_voice(const edge_raw_format_t *format, edge_raw_decoder_t *decoder,
                           const edge_raw_header_t *header, edge_frames_t *frames);

/** The HELLO of a body that was opened; false: it did not survive. */
bool edge_raw_decode_hello(const edge_raw_format_t *format, edge_raw_decoder_t *decoder,
                           const edge_raw_header_t *header, edge_hello_t *hello);

/**
 * Nothing heard yet.
 *
 * @param profile  As agreed with the sender.
 * @return false: see edge_raw_format().
 */
bool edge_raw_rx_init(edge_raw_rx_t *rx, const edge_profile_t *profile,
                      edge_event_fn on_event, void *user);

/** Take bytes as they came from the pipe, in any pieces; see edge_rx_push(). */
void edge_raw_rx_push(edge_raw_rx_t *rx, const uint8_t *data, size_t size, uint32_t now_ms);

/** See edge_rx_tick(). */
void edge_raw_rx_tick(edge_raw_rx_t *rx, uint32_t now_ms);

#ifdef __cplusplus
}
#endif

#endif
