/*
 * Damaged packets and frames of every kind into both receivers: fuzz_link SEED FRAMES.
 *
 * Built with sanitizers it proves that no bytes lead out of bounds. Counters must add up, and
 * of damaged frames next to none may pass with wrong codes.
 */
#include "check.h"
#include "edge_raw.h"

#define MOST_WRONG 20
#define MAX_BYTES 512

typedef struct {
    uint32_t random;
    unsigned wrong;
    uint8_t bytes[MAX_BYTES];
    size_t size;
} fuzz_t;

static uint32_t below(fuzz_t *fuzz, uint32_t limit)
{
    fuzz->random ^= fuzz->random << 13;
    fuzz->random ^= fuzz->random >> 17;
    fuzz->random ^= fuzz->random << 5;
    return fuzz->random % limit;
}

static void on_event(void *user, const edge_event_t *event)
{
    fuzz_t *fuzz = user;
    if (event->kind == EDGE_EVENT_FRAMES && !has_made_up_codes(&event->as.frames))
        fuzz->wrong++;
}

static void on_write(void *user, const uint8_t *data, size_t size)
{
    fuzz_t *fuzz = user;
    CHECK(fuzz->size + size <= MAX_BYTES);
    memcpy(fuzz->bytes + fuzz->size, data, size);
    fuzz->size += size;
}

/* Flip bits, lose a byte, add one, cut the end, or replace it all. */
static void damage(fuzz_t *fuzz)
{
    size_t at = below(fuzz, (uint32_t)fuzz->size), rest = fuzz->size - at - 1;
    switch (below(fuzz, 6)) {
    case 0:
        for (uint32_t n = below(fuzz, 60); n > 0; n--)
            fuzz->bytes[below(fuzz, (uint32_t)fuzz->size)] ^= (uint8_t)(1u << below(fuzz, 8));
        break;
    case 1:
        memmove(fuzz->bytes + at, fuzz->bytes + at + 1, rest);
        fuzz->size--;
        break;
    case 2:
        memmove(fuzz->bytes + at + 1, fuzz->bytes + at, rest + 1);
        fuzz->size++;
        break;
    case 3: fuzz->size = at; break;
    case 4:
        for (size_t i = at; i < fuzz->size; i++)
            fuzz->bytes[i] = (uint8_t)below(fuzz, 256);
        break;
    default: break;
    }
}

static void check_stats(const edge_stats_t *s)
{
    CHECK(s->voice_received == s->voice_delivered + s->voice_duplicate + s->voice_late);
    CHECK(s->streams_started >= s->streams_replaced);
}

static void fuzz_packets(fuzz_t *fuzz, uint32_t packets)
{
    uint8_t base[EDGE_MAX_BASE_BYTES], enhancement[EDGE_MAX_CONTENT_BYTES];
    edge_profile_t profile = {0};
    edge_tx_t tx;
    edge_rx_t rx;
    edge_rx_init(&rx, on_event, fuzz);
    for (uint32_t n = 0; n < packets; n++) {
        if (n % 50 == 0) {
            CHECK(edge_profile_from_id((uint8_t)(1 + below(fuzz, 12)), &profile));
            edge_hello_t hello = golden_hello(&profile);
            CHECK(edge_tx_init(&tx, &hello, (uint8_t)(n / 50), (uint8_t)below(fuzz, 3),
                               on_write, fuzz));
        }
        fuzz->size = 0;
        make_superframe(&profile, tx.stats.voice_sent, base, enhancement);
        CHECK(edge_tx_voice(&tx, base, enhancement, profile.layers, n * 100));
        damage(fuzz);
        edge_rx_push(&rx, fuzz->bytes, fuzz->size, n * 100);
        edge_rx_tick(&rx, n * 100);
        check_stats(&rx.session.stats);
    }
    CHECK(rx.session.stats.voice_delivered > packets / 16);
}

/* One spurt of 50 frames in a mode of its own. */
static void fuzz_raw_spurt(fuzz_t *fuzz)
{
    uint8_t base[EDGE_MAX_BASE_BYTES], enhancement[EDGE_MAX_CONTENT_BYTES];
    edge_profile_t profile;
    edge_raw_format_t format;
    edge_raw_rx_t rx;
    CHECK(edge_raw_profile((uint8_t)(1 + below(fuzz, 12)), &profile));
    CHECK(edge_raw_format(&profile, &format));
    CHECK(edge_raw_rx_init(&rx, &profile, on_event, fuzz));
    edge_hello_t hello = golden_hello(&profile);
    for (unsigned n = 0; n < 50; n++) {
        fuzz->size = format.frame_bytes;
        make_superframe(&profile, n, base, enhancement);
        if (n % 10 == 0)
            edge_raw_pack_hello(&format, EDGE_HELLO, 7, (uint8_t)n, &hello, fuzz->bytes);
        else
            edge_raw_pack_voice(&format, 7, (uint8_t)n, base, enhancement, fuzz->bytes);
        damage(fuzz);
        edge_raw_rx_push(&rx, fuzz->bytes, fuzz->size, n * 200);
        edge_raw_rx_tick(&rx, n * 200);
        check_stats(&rx.session.stats);
    }
}

int main(int count, char **arguments)
{
    CHECK(count == 3);
    fuzz_t fuzz = {.random = (uint32_t)atoi(arguments[1])};
    uint32_t frames = (uint32_t)atoi(arguments[2]);
    fuzz_packets(&fuzz, frames / 2);
    for (uint32_t n = 0; n < frames / 2; n += 50)
        fuzz_raw_spurt(&fuzz);
    printf("%u frames accepted with wrong codes\n", fuzz.wrong);
    CHECK(fuzz.wrong <= MOST_WRONG);
    return 0;
}
