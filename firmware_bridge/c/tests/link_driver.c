/*
 * Both ends of the link on standard input and output, for tests against other implementations.
 *
 *   link_driver rx                                     packets to events
 *   link_driver rawrx LAYERS BASE BITS FRAMES MS       raw frames to events
 *   link_driver tx TAG RED LAYERS BASE BITS FRAMES MS  codes to packets
 *   link_driver rawtx TAG LAYERS BASE BITS FRAMES MS   codes to raw frames, HELLO not repeated
 *
 * Received bytes come in records: time in ms (4 bytes), size (2), data. Codes come as 2 bytes
 * each, [frames, layers] for each superframe; END follows the last. All big endian. Each event
 * is one line of text; the counters follow at the end.
 */
#include "check.h"
#include "edge_raw.h"

static void print_hex(const uint8_t *data, size_t size)
{
    putchar(' ');
    for (size_t i = 0; i < size; i++)
        printf("%02x", data[i]);
}

static void print_profile(const edge_profile_t *p)
{
    printf(" %u %u %u %u %u", p->layers, p->base_layers, p->bits_per_code, p->frames,
           p->superframe_ms);
}

static void print_hello(const edge_hello_t *hello)
{
    printf(" '%s' '%s'", hello->destination, hello->source);
    print_hex(hello->model_hash, sizeof hello->model_hash);
    print_profile(&hello->profile);
    print_hex(hello->nonce, sizeof hello->nonce);
    printf(" %u", hello->epoch);
}

/* Number, valid layers of each frame, then the codes that are valid. */
static void print_frames(const edge_frames_t *frames)
{
    const edge_profile_t *p = frames->profile;
    printf(" %lu", (unsigned long)frames->sequence);
    for (uint8_t f = 0; f < p->frames; f++) {
        uint8_t layers = frames->lost_frames >> f & 1 ? 0 : frames->layers;
        printf(" %u:", layers);
        for (uint8_t k = 0; k < layers; k++) {
            bool is_base = k < p->base_layers;
            uint8_t layer = is_base ? k : (uint8_t)(k - p->base_layers);
            const uint8_t *packed = is_base ? frames->base : frames->enhancement;
            printf("%x,", edge_get_code(packed, p, layer, f));
        }
    }
}

static void on_event(void *user, const edge_event_t *event)
{
    static const char *const NAMES[] = {"started", "hello",   "frames", "lost",
                                        "message", "damaged", "ended"};
    (void)user;
    printf("%s %u", NAMES[event->kind], event->stream_tag);
    switch (event->kind) {
    case EDGE_EVENT_STARTED: print_profile(event->as.profile); break;
    case EDGE_EVENT_HELLO: print_hello(event->as.hello); break;
    case EDGE_EVENT_FRAMES: print_frames(&event->as.frames); break;
    case EDGE_EVENT_LOST: printf(" %lu", (unsigned long)event->as.lost.count); break;
    case EDGE_EVENT_MESSAGE:
        printf(" %d %u", event->as.message->type, event->as.message->sequence);
        print_hex(event->as.message->content, event->as.message->content_bytes);
        break;
    case EDGE_EVENT_DAMAGED: printf(" %d", event->as.damage); break;
    case EDGE_EVENT_ENDED: printf(" %d", event->as.end); break;
    }
    putchar('\n');
}

static void print_stats(const edge_stats_t *s)
{
    const uint32_t counters[] = {
        s->bytes_received,  s->voice_received,  s->hello_received,  s->end_received,
        s->message_received, s->voice_delivered, s->voice_recovered, s->voice_lost,
        s->voice_duplicate + s->voice_late,      s->damaged_framing, s->damaged_crc,
        s->refused,         s->streams_started, s->streams_replaced,
    };
    printf("stats");
    for (size_t i = 0; i < COUNT_OF(counters); i++)
        printf(" %lu", (unsigned long)counters[i]);
    putchar('\n');
}

/* A big endian number; false: end of input. */
static bool read_number(size_t size, uint32_t *value)
{
    *value = 0;
    for (; size > 0; size--) {
        int byte = getchar();
        if (byte == EOF)
            return false;
        *value = *value << 8 | (uint32_t)byte;
    }
    return true;
}

/* The next record in a block of its own, so that a sanitizer sees what is read beyond it. */
static uint8_t *read_record(uint32_t *now_ms, uint32_t *size)
{
    if (!read_number(4, now_ms) || !read_number(2, size))
        return NULL;
    uint8_t *data = malloc(*size + 1);
    CHECK(data != NULL && fread(data, 1, *size, stdin) == *size);
    return data;
}

static void receive(void)
{
    edge_rx_t rx;
    uint32_t now_ms, size;
    uint8_t *data;
    edge_rx_init(&rx, on_event, NULL);
    while ((data = read_record(&now_ms, &size)) != NULL) {
        edge_rx_push(&rx, data, size, now_ms);
        edge_rx_tick(&rx, now_ms);
        free(data);
    }
    print_stats(&rx.session.stats);
}

static void receive_raw(const edge_profile_t *profile)
{
    edge_raw_rx_t rx;
    uint32_t now_ms, size;
    uint8_t *data;
    CHECK(edge_raw_rx_init(&rx, profile, on_event, NULL));
    while ((data = read_record(&now_ms, &size)) != NULL) {
        edge_raw_rx_push(&rx, data, size, now_ms);
        edge_raw_rx_tick(&rx, now_ms);
        free(data);
    }
    print_stats(&rx.session.stats);
}

static void on_write(void *user, const uint8_t *data, size_t size)
{
    (void)user;
    CHECK(fwrite(data, 1, size, stdout) == size);
}

/* The packed classes of the next superframe; false: end of input. */
static bool read_superframe(const edge_profile_t *p, uint8_t *base, uint8_t *enhancement)
{
    memset(base, 0, EDGE_MAX_BASE_BYTES);
    memset(enhancement, 0, EDGE_MAX_CONTENT_BYTES);
    for (uint8_t f = 0; f < p->frames; f++)
        for (uint8_t k = 0; k < p->layers; k++) {
            uint32_t code;
            if (!read_number(2, &code))
                return false;
            if (k < p->base_layers)
                edge_set_code(base, p, k, f, (uint16_t)code);
            else
                edge_set_code(enhancement, p, (uint8_t)(k - p->base_layers), f, (uint16_t)code);
        }
    return true;
}

static edge_profile_t profile_of(char **arguments)
{
    edge_profile_t profile = {
        .layers = (uint8_t)atoi(arguments[0]),
        .base_layers = (uint8_t)atoi(arguments[1]),
        .bits_per_code = (uint8_t)atoi(arguments[2]),
        .frames = (uint8_t)atoi(arguments[3]),
        .superframe_ms = (uint16_t)atoi(arguments[4]),
    };
    return profile;
}

static void transmit(uint8_t tag, uint8_t red, const edge_profile_t *profile)
{
    edge_tx_t tx;
    edge_hello_t hello = golden_hello(profile);
    uint8_t base[EDGE_MAX_BASE_BYTES], enhancement[EDGE_MAX_CONTENT_BYTES];
    CHECK(edge_tx_init(&tx, &hello, tag, red, on_write, NULL));
    while (read_superframe(profile, base, enhancement))
        CHECK(edge_tx_voice(&tx, base, enhancement, profile->layers,
                            tx.stats.voice_sent * profile->superframe_ms));
    edge_tx_end(&tx);
}

static void transmit_raw(uint8_t tag, const edge_profile_t *profile)
{
    edge_raw_format_t format;
    edge_hello_t hello = golden_hello(profile);
    uint8_t base[EDGE_MAX_BASE_BYTES], enhancement[EDGE_MAX_CONTENT_BYTES];
    uint8_t frame[EDGE_MAX_FRAME_BYTES], number = 0;
    CHECK(edge_raw_format(profile, &format));
    CHECK(edge_raw_pack_hello(&format, EDGE_HELLO, tag, 0, &hello, frame));
    on_write(NULL, frame, format.frame_bytes);
    on_write(NULL, frame, format.frame_bytes);
    while (read_superframe(profile, base, enhancement)) {
        edge_raw_pack_voice(&format, tag, number++, base, enhancement, frame);
        on_write(NULL, frame, format.frame_bytes);
    }
    CHECK(edge_raw_pack_hello(&format, EDGE_END, tag, number, &hello, frame));
    on_write(NULL, frame, format.frame_bytes);
}

int main(int count, char **arguments)
{
    const char *mode = count > 1 ? arguments[1] : "";
    edge_profile_t profile = {0};
    if (count >= 7)
        profile = profile_of(arguments + count - 5);
    if (count == 2 && strcmp(mode, "rx") == 0)
        receive();
    else if (count == 7 && strcmp(mode, "rawrx") == 0)
        receive_raw(&profile);
    else if (count == 9 && strcmp(mode, "tx") == 0)
        transmit((uint8_t)atoi(arguments[2]), (uint8_t)atoi(arguments[3]), &profile);
    else if (count == 8 && strcmp(mode, "rawtx") == 0)
        transmit_raw((uint8_t)atoi(arguments[2]), &profile);
    else
        return 2;
    return 0;
}
