/*
 * Any bytes into every parser, for libFuzzer: the first byte picks one, the rest is its input.
 *
 * clang -fsanitize=fuzzer,address,undefined -I. -Itests tests/fuzz_target.c edge_*.c
 */
#include "check.h"
#include "edge_raw.h"

#define PIECE_BYTES 37u
#define PATHS 4

static edge_rx_t packet_rx;
static edge_raw_rx_t raw_rx;
static edge_list_t list;

/* Read all that an event points to: a sanitizer sees where that leads. */
static void on_event(void *user, const edge_event_t *event)
{
    unsigned *sum = user;
    *sum += event->stream_tag;
    if (event->kind == EDGE_EVENT_FRAMES)
        *sum += has_made_up_codes(&event->as.frames);
    if (event->kind == EDGE_EVENT_HELLO)
        *sum += (unsigned)strlen(event->as.hello->source);
    if (event->kind == EDGE_EVENT_MESSAGE)
        for (size_t i = 0; i < event->as.message->content_bytes; i++)
            *sum += event->as.message->content[i];
}

static void check_stats(const edge_stats_t *s, size_t size)
{
    CHECK(s->bytes_received == size);
    CHECK(s->voice_received == s->voice_delivered + s->voice_duplicate + s->voice_late);
    CHECK(s->streams_started >= s->streams_replaced);
}

static void fuzz_packets(const uint8_t *data, size_t size)
{
    unsigned sum = 0;
    edge_rx_init(&packet_rx, on_event, &sum);
    for (size_t at = 0; at < size; at += PIECE_BYTES) {
        size_t piece = size - at < PIECE_BYTES ? size - at : PIECE_BYTES;
        edge_rx_push(&packet_rx, data + at, piece, (uint32_t)at * 10);
        edge_rx_tick(&packet_rx, (uint32_t)at * 10);
    }
    check_stats(&packet_rx.session.stats, size);
}

/* A packet with the checksum it should have: past the CRC, into the fields. */
static void fuzz_packet_content(const uint8_t *data, size_t size)
{
    uint8_t packet[EDGE_MAX_PACKET_BYTES], wire[EDGE_MAX_WIRE_BYTES];
    unsigned sum = 0;
    size = size < EDGE_MAX_PACKET_BYTES - EDGE_CRC_BYTES ? size
                                                         : EDGE_MAX_PACKET_BYTES - EDGE_CRC_BYTES;
    memcpy(packet, data, size);
    uint16_t crc = edge_crc16(0xFFFF, packet, size);
    packet[size] = (uint8_t)(crc >> 8);
    packet[size + 1] = (uint8_t)crc;
    size_t stuffed = edge_stuff(packet, size + EDGE_CRC_BYTES, wire);
    edge_rx_init(&packet_rx, on_event, &sum);
    for (uint32_t n = 0; n < 3; n++)
        edge_rx_push(&packet_rx, wire, stuffed, n * 1000);
    check_stats(&packet_rx.session.stats, 3 * stuffed);
}

static void fuzz_raw(uint8_t layers, const uint8_t *data, size_t size)
{
    unsigned sum = 0;
    edge_profile_t profile;
    CHECK(edge_raw_profile(layers, &profile));
    CHECK(edge_raw_rx_init(&raw_rx, &profile, on_event, &sum));
    edge_raw_use_list(&raw_rx.decoder, &list, PATHS);
    edge_raw_rx_push(&raw_rx, data, size, 0);
    edge_raw_rx_tick(&raw_rx, 5000);
    check_stats(&raw_rx.session.stats, size);
}

static void fuzz_hello(const uint8_t *data, size_t size)
{
    edge_hello_t hello;
    uint8_t again[EDGE_HELLO_BYTES];
    if (size < EDGE_HELLO_BYTES || !edge_unpack_hello(data, &hello))
        return;
    CHECK(edge_pack_hello(&hello, again));
    CHECK(memcmp(data, again, sizeof again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    uint8_t choice = data[0] % 16;
    if (choice == 0)
        fuzz_packets(data + 1, size - 1);
    else if (choice <= 12)
        fuzz_raw(choice, data + 1, size - 1);
    else if (choice <= 14)
        fuzz_packet_content(data + 1, size - 1);
    else
        fuzz_hello(data + 1, size - 1);
    return 0;
}
