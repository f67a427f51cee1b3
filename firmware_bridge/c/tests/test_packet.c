/*
 * P packets against the golden vectors, both ways, and streams with losses.
 */
#include "check.h"
#include "golden_packets.h"

static const edge_profile_t *profile_named(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(golden_profiles); i++)
        if (strcmp(golden_profiles[i].name, name) == 0)
            return &golden_profiles[i].profile;
    return NULL;
}

static void test_crc16(void)
{
    uint8_t data[16];
    for (size_t i = 0; i < COUNT_OF(golden_crc16); i++) {
        size_t size = from_hex(golden_crc16[i].plain, data);
        CHECK(edge_crc16(0xFFFF, data, size) == strtoul(golden_crc16[i].coded, NULL, 16));
    }
}

static void check_stuffing(const char *plain_hex, const char *wire_hex)
{
    uint8_t plain[EDGE_MAX_PACKET_BYTES], wire[EDGE_MAX_WIRE_BYTES], made[EDGE_MAX_WIRE_BYTES];
    size_t plain_size = from_hex(plain_hex, plain), wire_size = from_hex(wire_hex, wire);
    CHECK(edge_stuff(plain, plain_size, made) == wire_size);
    CHECK(memcmp(made, wire, wire_size) == 0);
    size_t size = wire_size - 1;
    CHECK(edge_unstuff(made, &size) == EDGE_OK);
    CHECK(size == plain_size && memcmp(made, plain, size) == 0);
}

static void test_stuffing(void)
{
    uint8_t large[EDGE_MAX_PACKET_BYTES + 1] = {0}, wire[EDGE_MAX_WIRE_BYTES];
    for (size_t i = 0; i < COUNT_OF(golden_cobs); i++)
        check_stuffing(golden_cobs[i].plain, golden_cobs[i].coded);
    CHECK(edge_stuff(large, sizeof large, wire) == 0);
}

static void test_callsigns(void)
{
    uint8_t packed[EDGE_CALLSIGN_BYTES], made[EDGE_CALLSIGN_BYTES];
    char text[EDGE_CALLSIGN_SIZE];
    for (size_t i = 0; i < COUNT_OF(golden_callsigns); i++) {
        from_hex(golden_callsigns[i].coded, packed);
        CHECK(edge_pack_callsign(golden_callsigns[i].plain, made));
        CHECK(memcmp(made, packed, sizeof packed) == 0);
        CHECK(edge_unpack_callsign(packed, text));
        CHECK(strcmp(text, golden_callsigns[i].plain) == 0);
    }
    CHECK(!edge_pack_callsign("A B", made));
    CHECK(!edge_pack_callsign("ab1cd", made));
    CHECK(!edge_pack_callsign("TENLETTERS", made));
    from_hex("000000000028", packed);  /* A space before A. */
    CHECK(!edge_unpack_callsign(packed, text));
    from_hex("ee6b28000000", packed);  /* 40^9. */
    CHECK(!edge_unpack_callsign(packed, text));
}

static void test_profiles(void)
{
    for (size_t i = 0; i < COUNT_OF(golden_profiles); i++) {
        uint8_t body[EDGE_HELLO_BYTES], descriptor[3];
        const edge_profile_t *profile = &golden_profiles[i].profile;
        edge_hello_t hello = golden_hello(profile), heard;
        CHECK(edge_profile_id(profile) == golden_profiles[i].id);
        CHECK(edge_pack_hello(&hello, body));
        from_hex(golden_profiles[i].hex, descriptor);
        CHECK(memcmp(body + 16, descriptor, sizeof descriptor) == 0);
        CHECK(edge_unpack_hello(body, &heard));
        CHECK(edge_profile_equals(&heard.profile, profile));
    }
    edge_profile_t profile;
    for (uint8_t id = 1; id <= 12; id++)
        CHECK(edge_profile_from_id(id, &profile) && edge_profile_is_valid(&profile));
    CHECK(!edge_profile_from_id(0, &profile) && !edge_profile_from_id(13, &profile));
    profile.base_layers = 9;
    CHECK(!edge_profile_is_valid(&profile));
}

static void test_packets(void)
{
    uint8_t data[EDGE_MAX_PACKET_BYTES], made[EDGE_MAX_PACKET_BYTES];
    for (size_t i = 0; i < COUNT_OF(golden_packets); i++) {
        edge_packet_t packet;
        size_t size = from_hex(golden_packets[i].packet, data);
        CHECK(edge_unpack_packet(data, size, &packet) == EDGE_OK);
        CHECK(edge_pack_packet(&packet, made) == size);
        CHECK(memcmp(made, data, size) == 0);
        check_stuffing(golden_packets[i].packet, golden_packets[i].wire);
        for (size_t cut = 0; cut < size; cut++)
            CHECK(edge_unpack_packet(data, cut, &packet) != EDGE_OK);
        for (size_t bit = 0; bit < size * 8; bit++) {
            memcpy(made, data, size);
            made[bit / 8] ^= (uint8_t)(1u << bit % 8);
            CHECK(edge_unpack_packet(made, size, &packet) != EDGE_OK);
        }
    }
}

typedef struct {
    uint8_t bytes[2048];
    size_t size;
    unsigned packets;
} wire_t;

static void on_write(void *user, const uint8_t *data, size_t size)
{
    wire_t *wire = user;
    CHECK(wire->size + size <= sizeof wire->bytes);
    memcpy(wire->bytes + wire->size, data, size);
    wire->size += size;
    wire->packets++;
}

static void send_spurt(const edge_profile_t *profile, int superframes, uint8_t red,
                       wire_t *wire)
{
    uint8_t base[EDGE_MAX_BASE_BYTES], enhancement[EDGE_MAX_CONTENT_BYTES];
    edge_hello_t hello = golden_hello(profile);
    edge_tx_t tx;
    memset(wire, 0, sizeof *wire);
    CHECK(edge_tx_init(&tx, &hello, GOLDEN_TAG, red, on_write, wire));
    for (int n = 0; n < superframes; n++) {
        make_superframe(profile, (unsigned)n, base, enhancement);
        CHECK(edge_tx_voice(&tx, base, enhancement, profile->layers, 0));
    }
    CHECK(!edge_tx_voice(&tx, base, enhancement, (uint8_t)(profile->layers + 1), 0));
    edge_tx_end(&tx);
    edge_tx_end(&tx);
    CHECK(!edge_tx_voice(&tx, base, enhancement, profile->layers, 0));
    CHECK(tx.stats.bytes_sent == wire->size && tx.stats.end_sent == 1);
}

typedef struct {
    unsigned count[EDGE_EVENT_ENDED + 1];
    unsigned lost;
    edge_damage_t damage;
    edge_end_t end;
} heard_t;

static void on_event(void *user, const edge_event_t *event)
{
    heard_t *heard = user;
    heard->count[event->kind]++;
    if (event->kind == EDGE_EVENT_FRAMES)
        CHECK(has_made_up_codes(&event->as.frames));
    if (event->kind == EDGE_EVENT_LOST)
        heard->lost += event->as.lost.count;
    if (event->kind == EDGE_EVENT_HELLO)
        CHECK(strcmp(event->as.hello->source, "AB1CD") == 0);
    if (event->kind == EDGE_EVENT_DAMAGED)
        heard->damage = event->as.damage;
    if (event->kind == EDGE_EVENT_ENDED)
        heard->end = event->as.end;
}

static heard_t receive(const uint8_t *data, size_t size, size_t piece)
{
    heard_t heard = {0};
    edge_rx_t rx;
    edge_rx_init(&rx, on_event, &heard);
    for (size_t i = 0; i < size; i += piece)
        edge_rx_push(&rx, data + i, piece < size - i ? piece : size - i, 0);
    CHECK(rx.session.stats.bytes_received == size);
    CHECK(rx.session.stats.voice_lost == heard.lost);
    return heard;
}

static void test_spurts(void)
{
    static const size_t PIECES[] = {1, 2, 7, 100, 2048};
    wire_t wire, golden;
    for (size_t i = 0; i < COUNT_OF(golden_spurts); i++) {
        const golden_spurt_t *spurt = &golden_spurts[i];
        golden.size = 0;
        for (int n = 0; n < spurt->count; n++)
            golden.size += from_hex(spurt->wire[n], golden.bytes + golden.size);
        send_spurt(profile_named(spurt->profile), spurt->superframes, (uint8_t)spurt->red,
                   &wire);
        CHECK(wire.packets == (unsigned)spurt->count && wire.size == golden.size);
        CHECK(memcmp(wire.bytes, golden.bytes, wire.size) == 0);
        for (size_t p = 0; p < COUNT_OF(PIECES); p++) {
            heard_t heard = receive(golden.bytes, golden.size, PIECES[p]);
            CHECK(heard.count[EDGE_EVENT_FRAMES] == (unsigned)spurt->superframes);
            CHECK(heard.count[EDGE_EVENT_STARTED] == 1 && heard.count[EDGE_EVENT_HELLO] == 3);
            CHECK(heard.count[EDGE_EVENT_ENDED] == 1 && heard.end == EDGE_END_SAID);
            CHECK(heard.count[EDGE_EVENT_DAMAGED] == 0 && heard.lost == 0);
        }
    }
}

static void test_a_lost_superframe_is_told_or_comes_back(void)
{
    for (uint8_t red = 0; red <= EDGE_MAX_RED; red++) {
        wire_t wire;
        send_spurt(profile_named("p3000"), 5, red, &wire);
        size_t zeros = 0, at = 0;
        while (zeros < 5)  /* The opening one, two HELLOs, superframes 0 and 1. */
            zeros += wire.bytes[at++] == 0;
        size_t next = at;
        while (wire.bytes[next++] != 0)
            continue;
        memmove(wire.bytes + at, wire.bytes + next, wire.size - next);
        heard_t heard = receive(wire.bytes, wire.size - (next - at), 10);
        /* RED of superframe 4 comes too late for 2: nothing is waited for. */
        CHECK(heard.lost == (red == 1 ? 0 : 1));
        CHECK(heard.count[EDGE_EVENT_FRAMES] == (red == 1 ? 5 : 4));
    }
}

static void check_damage(const uint8_t *data, size_t size, edge_damage_t damage)
{
    heard_t heard = receive(data, size, 3);
    CHECK(heard.count[EDGE_EVENT_DAMAGED] == 1 && heard.damage == damage);
}

static void test_damage(void)
{
    static const uint8_t BROKEN[] = {9, 1, 0}, SHORT[] = {2, 1, 0, 0, 0};
    uint8_t oversize[300], secured[] = {8, 0x44, 1, 1, 1, 1, 1, 1, 0};
    memset(oversize, 1, sizeof oversize);
    oversize[299] = 0;
    check_damage(BROKEN, sizeof BROKEN, EDGE_DAMAGE_STUFFING);
    check_damage(SHORT, sizeof SHORT, EDGE_DAMAGE_SHORT);
    check_damage(oversize, sizeof oversize, EDGE_DAMAGE_OVERSIZE);
    check_damage(secured, sizeof secured, EDGE_DAMAGE_SECURED);
    secured[1] = 0x40;
    check_damage(secured, sizeof secured, EDGE_DAMAGE_CRC);
}

static void test_a_silent_stream_ends(void)
{
    heard_t heard = {0};
    wire_t wire;
    edge_rx_t rx;
    uint32_t start_ms = UINT32_MAX - 100;  /* The clock wraps around meanwhile. */
    send_spurt(profile_named("odd"), 2, 0, &wire);
    edge_rx_init(&rx, on_event, &heard);
    edge_rx_push(&rx, wire.bytes, wire.size / 2, start_ms);
    edge_rx_tick(&rx, start_ms + EDGE_STREAM_TIMEOUT_MS - 1);
    CHECK(heard.count[EDGE_EVENT_ENDED] == 0);
    edge_rx_tick(&rx, start_ms + EDGE_STREAM_TIMEOUT_MS);
    CHECK(heard.count[EDGE_EVENT_ENDED] == 1 && heard.end == EDGE_END_TIMEOUT);
}

static void test_codes_in_one_call(void)
{
    for (size_t i = 0; i < COUNT_OF(golden_profiles); i++) {
        const edge_profile_t *p = &golden_profiles[i].profile;
        uint8_t base[2][EDGE_MAX_BASE_BYTES], enhancement[2][EDGE_MAX_CONTENT_BYTES];
        uint16_t codes[64 * 32], again[64 * 32];
        for (unsigned f = 0; f < p->frames; f++)
            for (unsigned k = 0; k < p->layers; k++)
                codes[f * p->layers + k] = made_up_code(p, f, k);
        make_superframe(p, 0, base[0], enhancement[0]);
        edge_pack_codes(p, codes, base[1], enhancement[1]);
        CHECK(memcmp(base[0], base[1], edge_base_bytes(p)) == 0);
        CHECK(memcmp(enhancement[0], enhancement[1], edge_enhancement_bytes(p, p->layers)) == 0);
        edge_unpack_codes(p, base[1], enhancement[1], p->layers, again);
        CHECK(memcmp(codes, again, sizeof *codes * p->frames * p->layers) == 0);
    }
}

int main(void)
{
    test_codes_in_one_call();
    test_crc16();
    test_stuffing();
    test_callsigns();
    test_profiles();
    test_packets();
    test_spurts();
    test_a_lost_superframe_is_told_or_comes_back();
    test_damage();
    test_a_silent_stream_ends();
    puts("packets: ok");
    return 0;
}
