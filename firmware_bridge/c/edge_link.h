/*
 * The edge-codec link in C: packets (P) on a byte pipe, and the streams they belong to.
 *
 * docs/protocol.md is the authority on every byte. No heap, no globals, no I/O: all memory is
 * in structs of the caller, bytes come in by calls and go out through callbacks. A context is
 * used by one thread at a time. Raw frames (R), for noisy pipes, are in edge_raw.h.
 */
#ifndef EDGE_LINK_H
#define EDGE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Longest packet before stuffing: header, content and CRC. */
#define EDGE_MAX_PACKET_BYTES 255
/** Longest packet on the wire, delimiter included. */
#define EDGE_MAX_WIRE_BYTES 258
#define EDGE_HEADER_BYTES 4
#define EDGE_CRC_BYTES 2
#define EDGE_MAX_CONTENT_BYTES (EDGE_MAX_PACKET_BYTES - EDGE_HEADER_BYTES - EDGE_CRC_BYTES)
/** Longest base class: two of them, for RED, must fit one packet. */
#define EDGE_MAX_BASE_BYTES ((EDGE_MAX_CONTENT_BYTES - 1) / 2)
#define EDGE_HELLO_BYTES 28
#define EDGE_CALLSIGN_BYTES 6
/** A callsign as text: nine characters and a zero. */
#define EDGE_CALLSIGN_SIZE 10
/** Profile id that says: the HELLO of this stream describes it. */
#define EDGE_PROFILE_IN_HELLO 0xFF
/** Highest RED distance a sender uses. */
#define EDGE_MAX_RED 2
/** Streams followed at once. */
#define EDGE_MAX_STREAMS 4
/** Silence after which a stream has ended, in ms. */
#define EDGE_STREAM_TIMEOUT_MS 3000

/** Packet types of the protocol. */
typedef enum {
    EDGE_VOICE,
    EDGE_HELLO,
    EDGE_END,
    EDGE_CTRL,
    EDGE_TEXT,
    EDGE_CLIP,
    EDGE_STAT
} edge_type_t;

/** Why a piece of the byte stream was not used. */
typedef enum {
    EDGE_OK,                /**< It was. */
    EDGE_DAMAGE_STUFFING,   /**< Byte stuffing is broken. */
    EDGE_DAMAGE_SHORT,      /**< Too short for a header and a CRC. */
    EDGE_DAMAGE_OVERSIZE,   /**< Longer than any packet. */
    EDGE_DAMAGE_CRC,        /**< The checksum does not match. */
    EDGE_DAMAGE_VERSION,    /**< Of another protocol version. */
    EDGE_DAMAGE_TYPE,       /**< Of a type that is not defined. */
    EDGE_DAMAGE_LENGTH,     /**< The length fits no number of layers. */
    EDGE_DAMAGE_CONTENT,    /**< A field holds a value that is not allowed. */
    EDGE_DAMAGE_SECURED,    /**< Secured: cannot be read without a key. */
    EDGE_DAMAGE_PROFILE     /**< Voice of a profile that no HELLO has told yet. */
} edge_damage_t;

/** Why a stream is over. */
typedef enum { EDGE_END_SAID, EDGE_END_TIMEOUT, EDGE_END_REPLACED } edge_end_t;

/** How the codes of one stream are cut into superframes, one packet each. */
typedef struct {
    uint8_t layers;          /**< 1 to 32, all layers of a code frame. */
    uint8_t base_layers;     /**< 1 to 8, layers of the base class. */
    uint8_t bits_per_code;   /**< 1 to 16. */
    uint8_t frames;          /**< 1 to 64 code frames per superframe. */
    uint16_t superframe_ms;  /**< 40 to 640, a multiple of 10. */
} edge_profile_t;

/** Who speaks to whom, with which model; the content of HELLO and END. */
typedef struct {
    char destination[EDGE_CALLSIGN_SIZE];  /**< "@ALL" is everybody, "#NAME" a group. */
    char source[EDGE_CALLSIGN_SIZE];       /**< "" is not given. */
    uint8_t model_hash[4];                 /**< First bytes of the manifest's SHA-256. */
    edge_profile_t profile;
    uint8_t nonce[8];                      /**< Random, new for every stream. */
    uint8_t epoch;                         /**< Key epoch. */
} edge_hello_t;

/** One packet; `content` points into memory of whoever made the struct. */
typedef struct {
    edge_type_t type;
    uint8_t stream_tag;      /**< Random per talk spurt. */
    uint8_t sequence;
    uint8_t profile_id;
    bool has_red;            /**< The content repeats an earlier base class. */
    bool is_first;           /**< First VOICE packet of its stream. */
    const uint8_t *content;
    uint8_t content_bytes;   /**< 0 to EDGE_MAX_CONTENT_BYTES. */
} edge_packet_t;

/** Content of a VOICE packet; the codes stay packed, see edge_get_code(). */
typedef struct {
    const uint8_t *base;         /**< edge_base_bytes(). */
    const uint8_t *enhancement;  /**< edge_enhancement_bytes() of `layers`. */
    const uint8_t *red;          /**< Base class of an earlier superframe; NULL: none. */
    uint8_t red_distance;        /**< 1 to 255 superframes back; 0: no RED field. */
    uint8_t layers;              /**< Layers sent, base_layers to all. */
} edge_voice_t;

/** Counters, with the names and meanings of Python's LinkStats. */
typedef struct {
    uint32_t voice_sent;
    uint32_t hello_sent;
    uint32_t end_sent;
    uint32_t message_sent;
    uint32_t bytes_sent;
    uint32_t bytes_received;
    uint32_t voice_received;
    uint32_t hello_received;
    uint32_t end_received;
    uint32_t message_received;
    uint32_t voice_delivered;
    uint32_t voice_recovered;
    uint32_t voice_lost;
    uint32_t voice_duplicate;
    uint32_t voice_late;
    uint32_t damaged_framing;
    uint32_t damaged_crc;
    uint32_t refused;
    uint32_t streams_started;
    uint32_t streams_replaced;
} edge_stats_t;

/* ---- Numbers, checksums, stuffing ---------------------------------------------------- */

/** CRC-16/IBM-3740 of `size` bytes behind `crc`, which is 0xFFFF at the start. */
uint16_t edge_crc16(uint16_t crc, const uint8_t *data, size_t size);

/**
 * Stuff a packet with COBS and end it with a zero.
 *
 * @param data  The packet, `size` <= EDGE_MAX_PACKET_BYTES.
 * @param wire  Room for EDGE_MAX_WIRE_BYTES; must not overlap `data`.
 * @return Bytes written, delimiter included; 0: `size` is too large.
 */
size_t edge_stuff(const uint8_t *data, size_t size, uint8_t *wire);

/**
 * Undo edge_stuff() in place, the delimiter already taken off.
 *
 * @param data  The stuffed bytes; the packet takes their place.
 * @param size  In: stuffed bytes. Out: bytes of the packet, if EDGE_OK.
 * @return EDGE_OK, EDGE_DAMAGE_STUFFING or EDGE_DAMAGE_OVERSIZE.
 */
edge_damage_t edge_unstuff(uint8_t *data, size_t *size);

/* ---- Profiles and codes -------------------------------------------------------------- */

/** Whether every field is in range and the largest packet fits. */
bool edge_profile_is_valid(const edge_profile_t *profile);

/** The profile of ids 0x01 to 0x0C; false: this id names none. */
bool edge_profile_from_id(uint8_t id, edge_profile_t *profile);

/** The id of a profile, or EDGE_PROFILE_IN_HELLO. */
uint8_t edge_profile_id(const edge_profile_t *profile);

/** Whether all fields agree. */
bool edge_profile_equals(const edge_profile_t *a, const edge_profile_t *b);

/** Bytes of the base class. */
size_t edge_base_bytes(const edge_profile_t *profile);

/** Bytes of the enhancement class when `layers` layers are sent in all. */
size_t edge_enhancement_bytes(const edge_profile_t *profile, uint8_t layers);

/**
 * One code of a class.
 *
 * @param packed  The base class, or the enhancement class.
 * @param layer   Counted from the first layer of that class.
 * @param frame   0 to profile->frames - 1.
 */
uint16_t edge_get_code(const uint8_t *packed, const edge_profile_t *profile, uint8_t layer,
                       uint8_t frame);

/** Inverse of edge_get_code(); bits beyond bits_per_code are ignored. */
void edge_set_code(uint8_t *packed, const edge_profile_t *profile, uint8_t layer,
                   uint8_t frame, uint16_t code);

/**
 * The two classes of one superframe, spare bits zero.
 *
 * @param codes        [frames][layers], one code frame after the other.
 * @param base         Room for edge_base_bytes().
 * @param enhancement  Room for edge_enhancement_bytes() of all layers.
 */
void edge_pack_codes(const edge_profile_t *profile, const uint16_t *codes, uint8_t *base,
                     uint8_t *enhancement);

/** Inverse of edge_pack_codes() for the first `layers` layers; other codes stay as they are. */
void edge_unpack_codes(const edge_profile_t *profile, const uint8_t *base,
                       const uint8_t *enhancement, uint8_t layers, uint16_t *codes);

/* ---- Callsigns, HELLO, packets ------------------------------------------------------- */

/**
 * Six bytes of a callsign: "@ALL", "", up to nine of A-Z 0-9 - / . or '#' and up to eight.
 *
 * @return false: a character has no code, or there are too many.
 */
bool edge_pack_callsign(const char *text, uint8_t packed[EDGE_CALLSIGN_BYTES]);

/** Inverse of edge_pack_callsign(); false: no callsign packs to these bytes. */
bool edge_unpack_callsign(const uint8_t packed[EDGE_CALLSIGN_BYTES],
                          char text[EDGE_CALLSIGN_SIZE]);

/** The content of HELLO and END; false: a callsign or the profile is not valid. */
bool edge_pack_hello(const edge_hello_t *hello, uint8_t body[EDGE_HELLO_BYTES]);

/** Inverse of edge_pack_hello(); false: a field holds a value that is not allowed. */
bool edge_unpack_hello(const uint8_t body[EDGE_HELLO_BYTES], edge_hello_t *hello);

/**
 * Header, content and CRC.
 *
 * @param data  Room for EDGE_MAX_PACKET_BYTES.
 * @return Bytes written; 0: the content is too long.
 */
size_t edge_pack_packet(const edge_packet_t *packet, uint8_t *data);

/** Inverse of edge_pack_packet(): EDGE_OK, or why not; `content` points into `data`. */
edge_damage_t edge_unpack_packet(const uint8_t *data, size_t size, edge_packet_t *packet);

/**
 * Content of a VOICE packet.
 *
 * @param content  Room for EDGE_MAX_CONTENT_BYTES.
 * @return Bytes written; 0: `layers` is out of range of the profile.
 */
size_t edge_pack_voice(const edge_profile_t *profile, const edge_voice_t *voice,
                       uint8_t *content);

/** Inverse of edge_pack_voice(): EDGE_OK, EDGE_DAMAGE_LENGTH or EDGE_DAMAGE_CONTENT. */
edge_damage_t edge_unpack_voice(const edge_profile_t *profile, const edge_packet_t *packet,
                                edge_voice_t *voice);

/* ---- Events of a receiver ------------------------------------------------------------ */

/** What a receiver tells; the comment names the member of edge_event_t that goes with it. */
typedef enum {
    EDGE_EVENT_STARTED,  /**< profile: a stream is readable from here on. */
    EDGE_EVENT_HELLO,    /**< hello: repeated while the stream lasts, and before its end. */
    EDGE_EVENT_FRAMES,   /**< frames: one superframe, in order. */
    EDGE_EVENT_LOST,     /**< lost: superframes to conceal, before what comes next. */
    EDGE_EVENT_MESSAGE,  /**< message: CTRL, TEXT, CLIP or STAT, its content untouched. */
    EDGE_EVENT_DAMAGED,  /**< damage: bytes that were not used; of no stream. */
    EDGE_EVENT_ENDED     /**< end: nothing more of this stream follows. */
} edge_event_kind_t;

/** As many layers of each frame of a superframe as arrived. */
typedef struct {
    const edge_profile_t *profile;
    const uint8_t *base;         /**< See edge_get_code(). */
    const uint8_t *enhancement;  /**< See edge_get_code(). */
    uint64_t lost_frames;        /**< Bit f set: no layer of frame f arrived, conceal it. */
    uint32_t sequence;           /**< Number of the superframe, extended. */
    uint8_t layers;              /**< Layers that arrived of the other frames. */
} edge_frames_t;

/** Superframes that will not come. */
typedef struct {
    uint32_t sequence;  /**< Number of the first. */
    uint32_t count;
} edge_lost_t;

/** One event; valid, with all it points to, until the callback returns. */
typedef struct {
    edge_event_kind_t kind;
    uint8_t stream_tag;
    union {
        const edge_profile_t *profile;
        const edge_hello_t *hello;
        edge_frames_t frames;
        edge_lost_t lost;
        const edge_packet_t *message;
        edge_damage_t damage;
        edge_end_t end;
    } as;
} edge_event_t;

/** Takes an event; must not call the receiver that it comes from. */
typedef void (*edge_event_fn)(void *user, const edge_event_t *event);

/** One stream that is followed. Private. */
typedef struct {
    edge_profile_t profile;
    uint64_t delivered;  /* Bit i: the superframe i + 1 before `next` was delivered. */
    int32_t next;        /* Number of the superframe that comes next. */
    uint32_t heard_ms;
    uint8_t nonce[8];
    uint8_t tag;
    bool has_nonce;
    bool is_over;
} edge_stream_t;

/** The streams of one link, oldest first. Private but for `stats`. */
typedef struct {
    edge_stats_t stats;
    edge_stream_t streams[EDGE_MAX_STREAMS];
    uint8_t count;
    edge_event_fn on_event;
    void *user;
} edge_session_t;

/* ---- Receiving ----------------------------------------------------------------------- */

/** The receiving end of a packet link. Private but for `session.stats`. */
typedef struct {
    edge_session_t session;
    uint16_t used;
    uint8_t buffer[EDGE_MAX_WIRE_BYTES - 1];
} edge_rx_t;

/** Nothing heard yet; events go to `on_event` with `user`. */
void edge_rx_init(edge_rx_t *rx, edge_event_fn on_event, void *user);

/**
 * Take bytes as they came from the pipe, in any pieces.
 *
 * @param now_ms  Any clock that does not go back; it may wrap around.
 */
void edge_rx_push(edge_rx_t *rx, const uint8_t *data, size_t size, uint32_t now_ms);

/** End streams that have been silent for EDGE_STREAM_TIMEOUT_MS; call it now and then. */
void edge_rx_tick(edge_rx_t *rx, uint32_t now_ms);

/* ---- Sending ------------------------------------------------------------------------- */

/** Writes bytes to the pipe; each call is one packet. */
typedef void (*edge_write_fn)(void *user, const uint8_t *data, size_t size);

/** One talk spurt in packets. Private but for `stats`. */
typedef struct {
    edge_stats_t stats;
    edge_profile_t profile;
    edge_write_fn write;
    void *user;
    uint32_t hello_ms;
    uint8_t tag;
    uint8_t red;
    uint8_t hello[EDGE_HELLO_BYTES];
    uint8_t bases[EDGE_MAX_RED][EDGE_MAX_BASE_BYTES];
    uint8_t packet[EDGE_MAX_PACKET_BYTES];
    uint8_t wire[1 + EDGE_MAX_WIRE_BYTES];
} edge_tx_t;

/**
 * A talk spurt of which nothing is sent yet.
 *
 * @param stream_tag  Random for each talk spurt.
 * @param red         0, or how many superframes (1 or 2) back the repeated base class lies.
 * @return false: the HELLO is not valid, or `red` is out of range.
 */
bool edge_tx_init(edge_tx_t *tx, const edge_hello_t *hello, uint8_t stream_tag, uint8_t red,
                  edge_write_fn write, void *user);

/** Open the spurt: a delimiter and HELLO. Send as soon as somebody begins to speak. */
void edge_tx_open(edge_tx_t *tx, uint32_t now_ms);

/**
 * Send one superframe, and HELLO before it when due; opens the spurt if need be.
 *
 * @param base         edge_base_bytes() of packed codes.
 * @param enhancement  edge_enhancement_bytes() of packed codes; NULL if there are none.
 * @param layers       Layers to send, base_layers to all.
 * @return false: `layers` is out of range, or END was sent; nothing was sent now.
 */
bool edge_tx_voice(edge_tx_t *tx, const uint8_t *base, const uint8_t *enhancement,
                   uint8_t layers, uint32_t now_ms);

/**
 * Send a CTRL, TEXT, CLIP or STAT packet, at any time.
 *
 * @return false: another type, or more than EDGE_MAX_CONTENT_BYTES.
 */
bool edge_tx_message(edge_tx_t *tx, edge_type_t type, const uint8_t *payload, size_t size);

/** Send END, once, if anything was sent. */
void edge_tx_end(edge_tx_t *tx);

/* ---- For receivers of other framings ------------------------------------------------- */

/** No stream yet. */
void edge_session_init(edge_session_t *session, edge_event_fn on_event, void *user);

/** The profile of a stream; NULL: not known. */
const edge_profile_t *edge_session_profile(const edge_session_t *session, uint8_t tag);

/** Someone begins to speak, or still does. */
void edge_session_hello(edge_session_t *session, uint8_t tag, uint8_t sequence,
                        const edge_hello_t *hello, uint32_t now_ms);

/** A HELLO's sender is done. */
void edge_session_end(edge_session_t *session, uint8_t tag, uint8_t sequence,
                      const edge_hello_t *hello, uint32_t now_ms);

/**
 * One superframe of somebody's voice.
 *
 * @param frames  All but `sequence`, which this call finds; `profile` is the stream's.
 * @param voice   Its RED field, if any; NULL: none.
 */
void edge_session_voice(edge_session_t *session, uint8_t tag, uint8_t sequence,
                        const edge_frames_t *frames, const edge_voice_t *voice,
                        uint32_t now_ms);

/** One superframe that is known to be unreadable. */
void edge_session_lost(edge_session_t *session, uint8_t tag, uint8_t sequence);

/** Report bytes that were not used, and count them. */
void edge_session_damaged(edge_session_t *session, edge_damage_t reason);

/** End and forget streams whose time has come. */
void edge_session_tick(edge_session_t *session, uint32_t now_ms);

#ifdef __cplusplus
}
#endif

#endif
