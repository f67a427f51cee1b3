/*
 * Raw frames against the golden vectors, both ways, and what is left of damaged ones.
 */
#include "check.h"
#include "edge_raw.h"
#include "golden_raw.h"

static const edge_profile_t *profile_named(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(golden_profiles); i++)
        if (strcmp(golden_profiles[i].name, name) == 0)
            return &golden_profiles[i].profile;
    return NULL;
}

static void test_crc8(void)
{
    uint8_t data[16];
    for (size_t i = 0; i < COUNT_OF(golden_crc8); i++) {
        size_t size = from_hex(golden_crc8[i].plain, data);
        uint8_t crc = (uint8_t)~edge_crc8(0xFF, data, size);
        CHECK(crc == strtoul(golden_crc8[i].coded, NULL, 16));
    }
}

static void test_golay(void)
{
    for (size_t i = 0; i < COUNT_OF(golden_golay); i++) {
        uint16_t data = (uint16_t)strtoul(golden_golay[i].plain, NULL, 16), read;
        uint32_t word = (uint32_t)strtoul(golden_golay[i].coded, NULL, 16);
        CHECK(edge_golay_encode(data) == word);
        for (unsigned a = 0; a < 24; a++)
            for (unsigned b = 0; b < 24; b++)
                for (unsigned c = 0; c < 24; c++) {
                    uint32_t wrong = word ^ 1u << a ^ 1u << b ^ 1u << c;
                    CHECK(edge_golay_decode(wrong, &read) && read == data);
                }
        /* Four wrong bits are seen, and not mistaken for three. */
        CHECK(!edge_golay_decode(word ^ 0xF, &read));
    }
}

static void check_convolution(const golden_pair_t *golden, bool is_punctured)
{
    size_t bits = strlen(golden->plain) + EDGE_TAIL_BITS, sent = 0;
    unsigned register7 = 0;
    uint8_t decoded[4];
    edge_viterbi_t viterbi;
    edge_viterbi_start(&viterbi);
    for (size_t n = 0; n < bits; n++) {
        unsigned bit = n + EDGE_TAIL_BITS < bits && golden->plain[n] == '1';
        int16_t soft[2] = {0, 0};
        register7 = register7 >> 1 | bit << 6;
        for (size_t i = 0; i < 2; i++) {
            if (!edge_is_sent(2 * n + i, is_punctured))
                continue;
            bool is_one = (edge_convolve(register7) >> (1 - i) & 1u) != 0;
            CHECK(golden->coded[sent++] == (is_one ? '1' : '0'));
            soft[i] = is_one ? 1 : -1;
        }
        edge_viterbi_step(&viterbi, soft[0], soft[1]);
    }
    CHECK(sent == strlen(golden->coded) && sent == edge_coded_bits(bits, is_punctured));
    edge_viterbi_finish(&viterbi, decoded);
    for (size_t n = 0; n < bits - EDGE_TAIL_BITS; n++)
        CHECK((decoded[n / 8] >> (7 - n % 8) & 1) == (golden->plain[n] == '1'));
}

static void test_convolution(void)
{
    check_convolution(&golden_full[0], false);
    check_convolution(&golden_punctured[0], true);
}

static void test_viterbi_takes_no_more_than_it_holds(void)
{
    uint8_t bits[(EDGE_MAX_BLOCK_BITS + 7) / 8];
    edge_viterbi_t viterbi;
    edge_viterbi_start(&viterbi);
    for (size_t n = 0; n < EDGE_MAX_BLOCK_BITS + 10; n++)
        edge_viterbi_step(&viterbi, INT16_MIN, INT16_MIN);
    edge_viterbi_finish(&viterbi, bits);
    for (size_t i = 0; i < sizeof bits; i++)
        CHECK(bits[i] == 0);
}

static void test_whitening(void)
{
    uint8_t golden[16], made[16] = {0};
    size_t size = from_hex(golden_whitening[0].coded, golden);
    edge_raw_whiten(made, size);
    CHECK(memcmp(made, golden, size) == 0);
}

static void test_formats(void)
{
    edge_profile_t profile;
    edge_raw_format_t format;
    for (size_t i = 0; i < COUNT_OF(golden_profiles); i++) {
        CHECK(edge_raw_format(&golden_profiles[i].profile, &format));
        for (size_t n = 0; n < COUNT_OF(golden_strides); n++)
            if (format.body_bits == strtoul(golden_strides[n].plain, NULL, 10))
                CHECK(format.stride == strtoul(golden_strides[n].coded, NULL, 10));
    }
    for (uint8_t layers = 1; layers <= 12; layers++)
        CHECK(edge_raw_profile(layers, &profile) && edge_raw_format(&profile, &format));
    CHECK(!edge_raw_profile(13, &profile));
    profile.frames = 7;  /* Not a whole number of two groups. */
    CHECK(!edge_raw_format(&profile, &format));
}

typedef struct {
    unsigned count[EDGE_EVENT_ENDED + 1];
    uint64_t lost_frames;
    uint8_t layers;
} heard_t;

static void on_event(void *user, const edge_event_t *event)
{
    heard_t *heard = user;
    heard->count[event->kind]++;
    if (event->kind == EDGE_EVENT_FRAMES) {
        CHECK(has_made_up_codes(&event->as.frames));
        heard->lost_frames = event->as.frames.lost_frames;
        heard->layers = event->as.frames.layers;
    }
}

static size_t join(const golden_spurt_t *spurt, uint8_t *data)
{
    size_t size = 0;
    for (int n = 0; n < spurt->count; n++)
        size += from_hex(spurt->wire[n], data + size);
    return size;
}

static heard_t receive(const golden_spurt_t *spurt, const uint8_t *data, size_t size,
                       size_t piece)
{
    heard_t heard = {0};
    edge_raw_rx_t rx;
    CHECK(edge_raw_rx_init(&rx, profile_named(spurt->profile), on_event, &heard));
    for (size_t i = 0; i < size; i += piece)
        edge_raw_rx_push(&rx, data + i, piece < size - i ? piece : size - i, 0);
    return heard;
}

static void check_made(const golden_spurt_t *spurt)
{
    uint8_t base[EDGE_MAX_BASE_BYTES], enhancement[EDGE_MAX_CONTENT_BYTES];
    uint8_t golden[EDGE_MAX_FRAME_BYTES], made[EDGE_MAX_FRAME_BYTES];
    const edge_profile_t *profile = profile_named(spurt->profile);
    edge_hello_t hello = golden_hello(profile);
    edge_raw_format_t format;
    CHECK(edge_raw_format(profile, &format));
    for (int n = 0; n < spurt->count; n++) {
        int number = n - 2;
        CHECK(from_hex(spurt->wire[n], golden) == format.frame_bytes);
        make_superframe(profile, (unsigned)number, base, enhancement);
        if (n < 2)
            edge_raw_pack_hello(&format, EDGE_HELLO, GOLDEN_TAG, 0, &hello, made);
        else if (number < spurt->superframes)
            edge_raw_pack_voice(&format, GOLDEN_TAG, (uint8_t)number, base, enhancement, made);
        else
            edge_raw_pack_hello(&format, EDGE_END, GOLDEN_TAG, (uint8_t)number, &hello, made);
        CHECK(memcmp(made, golden, format.frame_bytes) == 0);
    }
}

static void test_spurts(void)
{
    static const size_t PIECES[] = {1, 13, 4096};
    uint8_t data[4096];
    for (size_t i = 0; i < COUNT_OF(golden_spurts); i++) {
        const golden_spurt_t *spurt = &golden_spurts[i];
        size_t size = join(spurt, data);
        check_made(spurt);
        for (size_t p = 0; p < COUNT_OF(PIECES); p++) {
            heard_t heard = receive(spurt, data, size, PIECES[p]);
            CHECK(heard.count[EDGE_EVENT_FRAMES] == (unsigned)spurt->superframes);
            CHECK(heard.count[EDGE_EVENT_STARTED] == 1 && heard.count[EDGE_EVENT_HELLO] == 3);
            CHECK(heard.count[EDGE_EVENT_ENDED] == 1 && heard.count[EDGE_EVENT_LOST] == 0);
            CHECK(heard.count[EDGE_EVENT_DAMAGED] == 0 && heard.lost_frames == 0);
            CHECK(heard.layers == profile_named(spurt->profile)->layers);
        }
    }
}

static void test_a_lost_and_a_stray_byte_are_followed(void)
{
    uint8_t data[4096] = {0};
    for (size_t i = 0; i < COUNT_OF(golden_spurts); i++) {
        const golden_spurt_t *spurt = &golden_spurts[i];
        size_t size = join(spurt, data), frame = size / (size_t)spurt->count;
        CHECK(size > frame + 21);
        memmove(data + frame + 20, data + frame + 21, size - frame - 21);
        heard_t heard = receive(spurt, data, size - 1, 50);
        CHECK(heard.count[EDGE_EVENT_FRAMES] == 2 && heard.count[EDGE_EVENT_ENDED] == 1);
        size = join(spurt, data);
        memmove(data + frame + 1, data + frame, size - frame);
        heard = receive(spurt, data, size + 1, 50);
        CHECK(heard.count[EDGE_EVENT_FRAMES] == 2 && heard.count[EDGE_EVENT_ENDED] == 1);
    }
}

static void test_wrong_bits_cost_nothing(void)
{
    uint8_t data[4096];
    for (size_t i = 0; i < COUNT_OF(golden_spurts); i++) {
        size_t size = join(&golden_spurts[i], data);
        for (size_t bit = 11; bit < size * 8; bit += 101)
            data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        heard_t heard = receive(&golden_spurts[i], data, size, 64);
        CHECK(heard.count[EDGE_EVENT_FRAMES] == 2 && heard.lost_frames == 0);
    }
}

static edge_raw_decoder_t decoder;
static edge_list_t list;

/* The golden frame of the first superframe. */
static edge_raw_format_t golden_frame(const golden_spurt_t *spurt, uint8_t *frame)
{
    edge_raw_format_t format;
    CHECK(edge_raw_format(profile_named(spurt->profile), &format));
    CHECK(from_hex(spurt->wire[2], frame) == format.frame_bytes);
    return format;
}

static void flip_bits(uint8_t *body, size_t bits, size_t first, size_t step)
{
    for (size_t bit = first; bit < bits; bit += step)
        body[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

static void test_soft_bits_say_what_hard_bits_say(void)
{
    static const edge_raw_header_t HEADER = {EDGE_VOICE, GOLDEN_TAG, 0};
    static int8_t soft[8 * EDGE_MAX_FRAME_BYTES];
    uint8_t frame[EDGE_MAX_FRAME_BYTES], base[EDGE_MAX_BASE_BYTES];
    for (size_t i = 0; i < COUNT_OF(golden_spurts); i++) {
        edge_raw_format_t format = golden_frame(&golden_spurts[i], frame);
        uint8_t *body = frame + EDGE_MARKER_BYTES;
        edge_frames_t frames;
        flip_bits(body, format.body_bits, 5, 45);
        for (size_t bit = 0; bit < format.body_bits; bit++)
            soft[bit] = body[bit / 8] >> (7 - bit % 8) & 1 ? 100 : -100;
        memset(&decoder, 0, sizeof decoder);
        uint64_t hard = edge_raw_open(&format, &decoder, body);
        CHECK(edge_raw_decode_voice(&format, &decoder, &HEADER, &frames));
        uint8_t layers = frames.layers;
        memcpy(base, frames.base, edge_base_bytes(&format.profile));
        CHECK(edge_raw_open_soft(&format, &decoder, soft) == hard);
        CHECK(edge_raw_decode_voice(&format, &decoder, &HEADER, &frames));
        CHECK(frames.layers == layers && frames.lost_frames == 0);
        CHECK(memcmp(frames.base, base, edge_base_bytes(&format.profile)) == 0);
    }
}

/* One bit in six is wrong, too many for hard bits, but the demodulator was not sure of those. */
static void test_doubtful_bits_hurt_less(void)
{
    static const edge_raw_header_t HEADER = {EDGE_VOICE, GOLDEN_TAG, 0};
    static int8_t soft[8 * EDGE_MAX_FRAME_BYTES];
    uint8_t frame[EDGE_MAX_FRAME_BYTES];
    edge_raw_format_t format = golden_frame(&golden_spurts[0], frame);
    uint8_t *body = frame + EDGE_MARKER_BYTES;
    edge_frames_t frames;
    for (size_t bit = 0; bit < format.body_bits; bit++) {
        int sure = bit % 6 == 2 ? -3 : 120;
        soft[bit] = (int8_t)(body[bit / 8] >> (7 - bit % 8) & 1 ? sure : -sure);
    }
    flip_bits(body, format.body_bits, 5, 6);
    memset(&decoder, 0, sizeof decoder);
    edge_raw_open(&format, &decoder, body);
    CHECK(!edge_raw_decode_voice(&format, &decoder, &HEADER, &frames));
    edge_raw_open_soft(&format, &decoder, soft);
    CHECK(edge_raw_decode_voice(&format, &decoder, &HEADER, &frames));
    frames.sequence = 0;
    CHECK(frames.lost_frames == 0 && has_made_up_codes(&frames));
}

/* How many groups survive noise at this share of wrong bits. */
static unsigned groups_that_survive(const golden_spurt_t *spurt, uint8_t paths)
{
    static const edge_raw_header_t HEADER = {EDGE_VOICE, GOLDEN_TAG, 0};
    uint8_t frame[EDGE_MAX_FRAME_BYTES];
    unsigned survived = 0;
    uint32_t random = 7;
    for (unsigned n = 0; n < 60; n++) {
        edge_raw_format_t format = golden_frame(spurt, frame);
        edge_frames_t frames;
        for (size_t bit = 0; bit < format.body_bits; bit++) {
            random = random * 1664525u + 1013904223u;
            if (random >> 16 < 65536 / 15)
                frame[EDGE_MARKER_BYTES + bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        memset(&decoder, 0, sizeof decoder);
        edge_raw_use_list(&decoder, paths > 1 ? &list : NULL, paths);
        edge_raw_open(&format, &decoder, frame + EDGE_MARKER_BYTES);
        if (!edge_raw_decode_voice(&format, &decoder, &HEADER, &frames))
            continue;
        for (uint64_t lost = frames.lost_frames, f = 0; f < format.profile.frames; f++)
            survived += !(lost >> f & 1u);
    }
    return survived;
}

static void test_a_list_finds_more(void)
{
    unsigned one = groups_that_survive(&golden_spurts[0], 1);
    unsigned many = groups_that_survive(&golden_spurts[0], 8);
    CHECK(one > 0 && many > one);
}

static void test_a_list_ends(void)
{
    edge_list_start(&list);
    for (size_t n = 0; n < EDGE_TAIL_BITS + 2; n++)
        edge_list_step(&list, 1, -1, n < 2 ? EDGE_BIT_UNKNOWN : EDGE_BIT_ZERO);
    unsigned seen = 0;
    for (const uint8_t *bits; (bits = edge_list_next(&list)) != NULL; seen |= 1u << (*bits >> 6))
        CHECK((*bits & 0x3F) == 0 && !(seen >> (*bits >> 6) & 1u));
    CHECK(seen == 0xF);
    CHECK(edge_list_next(&list) == NULL);
}

static void test_noise_is_nothing(void)
{
    uint32_t random = 1;
    uint8_t data[4096];
    for (unsigned n = 0; n < 20; n++) {
        for (size_t i = 0; i < sizeof data; i++) {
            random = random * 1664525u + 1013904223u;
            data[i] = (uint8_t)(random >> 24);
        }
        heard_t heard = receive(&golden_spurts[n % 4], data, sizeof data, 200);
        CHECK(heard.count[EDGE_EVENT_STARTED] == 0 && heard.count[EDGE_EVENT_FRAMES] == 0);
    }
}

int main(void)
{
    test_crc8();
    test_golay();
    test_convolution();
    test_viterbi_takes_no_more_than_it_holds();
    test_whitening();
    test_formats();
    test_spurts();
    test_a_lost_and_a_stray_byte_are_followed();
    test_wrong_bits_cost_nothing();
    test_soft_bits_say_what_hard_bits_say();
    test_doubtful_bits_hurt_less();
    test_a_list_finds_more();
    test_a_list_ends();
    test_noise_is_nothing();
    puts("raw frames: ok");
    return 0;
}
