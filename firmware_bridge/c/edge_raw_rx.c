/*
 * The receiving end of a raw link: where frames begin, which header each has, what survived.
 *
 * Knows the length of a frame and what is expected next; the bits are left to edge_raw.c.
 * While searching, a marker may have three wrong bits. Once locked, the next one is looked for
 * around its place, which follows lost and stray bytes, and else taken for granted.
 */
#include "edge_raw.h"

#include <string.h>

#define MARKER 0x1ACFFC1Du
#define SEARCH_ERRORS 3
#define LOCKED_ERRORS 6
/* Wrong bits that a marker out of place must have less than the one in place. */
#define MOVE_PENALTY 2u
/* A slip guessed 10 % of a frame from the true place spoils 5 % of its bits. */
#define SLIP_PLACES 5u
/* Wrong bits of 48 beyond which a header is not recognized: noise comes to 24 +- 3.5. */
#define FARTHEST_HEADER 10u
/* Wrong bits an expected header may have more than a surprising one. */
#define EXPECTED_BONUS 4u
#define SUPERFRAMES_AHEAD 4u

typedef char check_buffer_fits[EDGE_MAX_FRAME_BYTES <= UINT16_MAX / 2 ? 1 : -1];

static unsigned ones_in(uint64_t value)
{
    unsigned ones = 0;
    for (; value != 0; value &= value - 1)
        ones++;
    return ones;
}

/* ---- Sync ---------------------------------------------------------------------------- */

static unsigned wrong_bits_at(const edge_raw_rx_t *rx, size_t place)
{
    uint32_t marker = 0;
    for (size_t i = 0; i < EDGE_MARKER_BYTES; i++)
        marker = marker << 8 | rx->buffer[place + i];
    return ones_in(marker ^ MARKER);
}

/* Drop bytes that no window reaches any more. */
static void drop_read(edge_raw_rx_t *rx)
{
    if (rx->place <= EDGE_WINDOW_BYTES)
        return;
    uint16_t behind = (uint16_t)(rx->place - EDGE_WINDOW_BYTES);
    if (behind > rx->used)
        behind = rx->used;
    rx->used = (uint16_t)(rx->used - behind);
    rx->place = (uint16_t)(rx->place - behind);
    memmove(rx->buffer, rx->buffer + behind, rx->used);
}

static bool find_near(edge_raw_rx_t *rx)
{
    size_t here = rx->place, best = here;
    size_t first = here > EDGE_WINDOW_BYTES ? here - EDGE_WINDOW_BYTES : 0;
    size_t last = here + EDGE_WINDOW_BYTES;
    if (rx->used < last + EDGE_MARKER_BYTES)
        return false;
    unsigned least = UINT8_MAX;
    for (size_t place = first; place <= last; place++) {
        unsigned cost = wrong_bits_at(rx, place) + (place != here ? MOVE_PENALTY : 0);
        if (cost < least) {
            least = cost;
            best = place;
        }
    }
    if (wrong_bits_at(rx, best) > LOCKED_ERRORS)
        best = here;
    rx->place = (uint16_t)best;
    rx->wrong_bits = (uint8_t)wrong_bits_at(rx, best);
    return true;
}

static bool find_any(edge_raw_rx_t *rx)
{
    bool is_found = false;
    for (; !is_found && rx->place + EDGE_MARKER_BYTES <= rx->used; rx->place++) {
        rx->wrong_bits = (uint8_t)wrong_bits_at(rx, rx->place);
        is_found = rx->wrong_bits <= SEARCH_ERRORS;
    }
    if (is_found)
        rx->place--;
    drop_read(rx);
    return is_found;
}

/* Whether a whole frame waits at rx->place. */
static bool has_frame(edge_raw_rx_t *rx)
{
    if (!rx->is_found)
        rx->is_found = rx->is_locked ? find_near(rx) : find_any(rx);
    return rx->is_found && rx->used >= rx->place + rx->format.frame_bytes;
}

/* Go on behind a frame; a bad one with a bad marker starts the search again. */
static void leave_frame(edge_raw_rx_t *rx, bool is_good)
{
    rx->is_locked = is_good || (rx->is_locked && rx->wrong_bits <= SEARCH_ERRORS);
    rx->place = (uint16_t)(rx->place + (rx->is_locked ? rx->format.frame_bytes : 1));
    rx->is_found = false;
    drop_read(rx);
}

/* ---- Headers ------------------------------------------------------------------------- */

/* How far ahead of the expected superframe a header is; SUPERFRAMES_AHEAD: too far. */
static unsigned frames_ahead(const edge_raw_rx_t *rx, const edge_raw_header_t *header)
{
    uint8_t ahead = (uint8_t)(header->sequence - rx->expected.sequence);
    bool is_expected = rx->has_expected && header->stream_tag == rx->expected.stream_tag;
    return is_expected && ahead < SUPERFRAMES_AHEAD ? ahead : SUPERFRAMES_AHEAD;
}

/* The likeliest header behind 48 received bits; false: it could be any. */
static bool recognize(const edge_raw_rx_t *rx, uint64_t coded, edge_raw_header_t *header)
{
    unsigned least = FARTHEST_HEADER + 1;
    for (unsigned i = 0; rx->has_expected && i < 3 * SUPERFRAMES_AHEAD; i++) {
        edge_raw_header_t next = rx->expected;
        next.type = (edge_type_t)(i % 3);
        next.sequence = (uint8_t)(next.sequence + i / 3);
        unsigned cost = ones_in(coded ^ edge_raw_code_header(&next));
        if (cost < least) {
            least = cost;
            *header = next;
        }
    }
    edge_raw_header_t other;
    if (edge_raw_decode_header(coded, &other) &&
        frames_ahead(rx, &other) == SUPERFRAMES_AHEAD) {
        unsigned cost = ones_in(coded ^ edge_raw_code_header(&other)) + EXPECTED_BONUS;
        if (cost < least) {
            least = cost;
            *header = other;
        }
    }
    return least <= FARTHEST_HEADER;
}

static void expect(edge_raw_rx_t *rx, const edge_raw_header_t *header, uint8_t sequence)
{
    rx->expected.type = EDGE_VOICE;
    rx->expected.stream_tag = header->stream_tag;
    rx->expected.sequence = sequence;
    rx->has_expected = header->type != EDGE_END;
}

/* ---- Frames -------------------------------------------------------------------------- */

static bool receive_voice(edge_raw_rx_t *rx, const edge_raw_header_t *header, uint32_t now_ms)
{
    edge_frames_t frames;
    if (!edge_raw_decode_voice(&rx->format, &rx->decoder, header, &frames))
        return false;
    edge_session_voice(&rx->session, header->stream_tag, header->sequence, &frames, NULL,
                       now_ms);
    expect(rx, header, (uint8_t)(header->sequence + 1));
    return true;
}

static bool receive_hello(edge_raw_rx_t *rx, const edge_raw_header_t *header, uint32_t now_ms)
{
    edge_hello_t hello;
    if (!edge_raw_decode_hello(&rx->format, &rx->decoder, header, &hello) ||
        !edge_profile_equals(&hello.profile, &rx->format.profile))
        return false;
    if (header->type == EDGE_END)
        edge_session_end(&rx->session, header->stream_tag, header->sequence, &hello, now_ms);
    else
        edge_session_hello(&rx->session, header->stream_tag, header->sequence, &hello, now_ms);
    expect(rx, header, header->sequence);
    return true;
}

/* False if nothing of the frame survived. */
static bool receive_body(edge_raw_rx_t *rx, const uint8_t *body, uint32_t now_ms)
{
    edge_raw_header_t header;
    uint64_t coded = edge_raw_open(&rx->format, &rx->decoder, body);
    if (!recognize(rx, coded, &header))
        return false;
    return header.type == EDGE_VOICE ? receive_voice(rx, &header, now_ms)
                                     : receive_hello(rx, &header, now_ms);
}

/* Guess a byte that was lost, then a stray one, at several places, and mend the body. */
static bool receive_slipped(edge_raw_rx_t *rx, const uint8_t *body, uint32_t now_ms)
{
    uint8_t mended[EDGE_MAX_FRAME_BYTES];
    size_t size = rx->format.frame_bytes - (size_t)EDGE_MARKER_BYTES;
    for (size_t n = 0; n < SLIP_PLACES; n++) {
        size_t place = (2 * n + 1) * size / (2 * SLIP_PLACES), rest = size - place - 1;
        memcpy(mended, body, place);
        mended[place] = 0;
        memcpy(mended + place + 1, body + place, rest);
        if (receive_body(rx, mended, now_ms))
            return true;
        memcpy(mended + place, body + place + 1, rest);
        mended[size - 1] = 0;
        if (receive_body(rx, mended, now_ms))
            return true;
    }
    return false;
}

/* Tell at once of a superframe that was expected and recognized, but not readable. */
static void note_loss(edge_raw_rx_t *rx, const uint8_t *body)
{
    edge_raw_header_t header;
    uint64_t coded = edge_raw_open(&rx->format, &rx->decoder, body);
    if (!recognize(rx, coded, &header) || header.type != EDGE_VOICE ||
        frames_ahead(rx, &header) == SUPERFRAMES_AHEAD)
        return;
    edge_session_lost(&rx->session, header.stream_tag, header.sequence);
    expect(rx, &header, (uint8_t)(header.sequence + 1));
}

static void receive_frame(edge_raw_rx_t *rx, uint32_t now_ms)
{
    const uint8_t *body = rx->buffer + rx->place + EDGE_MARKER_BYTES;
    bool is_good = receive_body(rx, body, now_ms) ||
                   (rx->is_locked && receive_slipped(rx, body, now_ms));
    if (!is_good) {
        edge_session_damaged(&rx->session, EDGE_DAMAGE_CRC);
        note_loss(rx, body);
    }
    leave_frame(rx, is_good);
    if (is_good && !rx->has_expected)
        rx->is_locked = false;  /* The sender is done. */
}

bool edge_raw_rx_init(edge_raw_rx_t *rx, const edge_profile_t *profile,
                      edge_event_fn on_event, void *user)
{
    memset(rx, 0, sizeof *rx);
    edge_session_init(&rx->session, on_event, user);
    return edge_raw_format(profile, &rx->format);
}

void edge_raw_rx_push(edge_raw_rx_t *rx, const uint8_t *data, size_t size, uint32_t now_ms)
{
    rx->session.stats.bytes_received += (uint32_t)size;
    for (size_t i = 0; i < size; i++) {
        rx->buffer[rx->used++] = data[i];
        while (has_frame(rx))
            receive_frame(rx, now_ms);
    }
}

void edge_raw_rx_tick(edge_raw_rx_t *rx, uint32_t now_ms)
{
    edge_session_tick(&rx->session, now_ms);
}
