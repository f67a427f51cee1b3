/*
 * The bridge firmware on simulated radios: two of them, what they say to each other and to hosts.
 */
#include "check.h"
#include "firmware.h"
#include "sx127x_sim.h"

#define MAX_HEARD 8192
#define STEP_MS 5

typedef struct station {
    firmware_t firmware;
    sx127x_sim_t chip;
    struct station *other;
    bool is_jammed; /* What it sends arrives damaged. */
    bool is_stuck;  /* Its chip does nothing any more. */
    uint8_t heard[MAX_HEARD];
    size_t heard_bytes;
} station_t;

static station_t stations[2];
static uint32_t clock_ms;

static void to_host(void *user, const uint8_t *data, size_t size)
{
    station_t *station = user;
    CHECK(station->heard_bytes + size <= MAX_HEARD);
    memcpy(station->heard + station->heard_bytes, data, size);
    station->heard_bytes += size;
}

static void transfer(void *user, const uint8_t *out, uint8_t *in, size_t size)
{
    station_t *station = user;
    sx127x_sim_transfer(&station->chip, out, in, size);
}

static void on_air(void *user, const uint8_t *data, size_t size)
{
    station_t *station = user;
    sx127x_sim_receive(&station->other->chip, data, size, station->is_jammed);
}

static uint32_t airtime_ms(void *user, size_t size)
{
    station_t *station = user;
    return sx127x_airtime_ms(&station->firmware.radio.config, size);
}

static void start(void)
{
    sx127x_config_t config = sx127x_defaults();
    clock_ms = 1000;
    for (size_t i = 0; i < 2; i++) {
        station_t *station = &stations[i];
        firmware_board_t board = {transfer, to_host, station};
        memset(station, 0, sizeof *station);
        station->other = &stations[1 - i];
        sx127x_sim_init(&station->chip, on_air, airtime_ms, station);
        CHECK(firmware_init(&station->firmware, &config, &board, clock_ms));
    }
}

static void run(uint32_t duration_ms)
{
    for (uint32_t end_ms = clock_ms + duration_ms; clock_ms < end_ms; clock_ms += STEP_MS)
        for (size_t i = 0; i < 2; i++) {
            if (!stations[i].is_stuck)
                sx127x_sim_tick(&stations[i].chip, clock_ms);
            firmware_poll(&stations[i].firmware, clock_ms);
        }
}

/* A packet of a host, stuffed. */
static size_t make_wire(edge_type_t type, const uint8_t *content, size_t size, uint8_t *wire)
{
    uint8_t data[EDGE_MAX_PACKET_BYTES];
    edge_packet_t packet = {.type = type, .stream_tag = 7, .profile_id = 6};
    packet.content = content;
    packet.content_bytes = (uint8_t)size;
    return edge_stuff(data, edge_pack_packet(&packet, data), wire);
}

static void say(station_t *station, edge_type_t type, const uint8_t *content, size_t size)
{
    uint8_t wire[EDGE_MAX_WIRE_BYTES];
    size_t used = make_wire(type, content, size, wire);
    firmware_receive(&station->firmware, wire, used, clock_ms);
}

/* The next packet in what a host heard; its type is EDGE_STAT + 1 at the end. */
static edge_packet_t next_packet(station_t *station, size_t *at, uint8_t *data)
{
    edge_packet_t packet = {.type = (edge_type_t)(EDGE_STAT + 1)};
    size_t size = 0;
    while (*at < station->heard_bytes && station->heard[*at] != 0)
        data[size++] = station->heard[(*at)++];
    if (*at == station->heard_bytes)
        return packet;
    (*at)++;
    CHECK(edge_unstuff(data, &size) == EDGE_OK);
    CHECK(edge_unpack_packet(data, size, &packet) == EDGE_OK);
    return packet;
}

/* How many packets of a type a host heard; the content of the last one. */
static unsigned count_heard(station_t *station, edge_type_t type, uint8_t *content)
{
    uint8_t data[EDGE_MAX_WIRE_BYTES];
    unsigned count = 0;
    for (size_t at = 0;;) {
        edge_packet_t packet = next_packet(station, &at, data);
        if (packet.type > EDGE_STAT)
            return count;
        if (packet.type == type && ++count > 0)
            memcpy(content, packet.content, packet.content_bytes);
    }
}

static void test_packets_pass_as_they_are(void)
{
    uint8_t content[EDGE_MAX_CONTENT_BYTES], heard[EDGE_MAX_CONTENT_BYTES];
    start();
    for (size_t i = 0; i < sizeof content; i++)
        content[i] = (uint8_t)(i * 7);
    say(&stations[0], EDGE_TEXT, content, sizeof content);
    run(500);
    CHECK(count_heard(&stations[1], EDGE_TEXT, heard) == 1);
    CHECK(memcmp(content, heard, sizeof content) == 0);
    CHECK(stations[1].firmware.radio.level_dbm == -67 && stations[1].firmware.bridge.lost == 0);
    say(&stations[1], EDGE_TEXT, content, 1);
    run(500);
    CHECK(count_heard(&stations[0], EDGE_TEXT, heard) == 1);
}

static void test_secured_packets_pass_unread(void)
{
    uint8_t data[40] = {1u << 6 | 4u, 7, 8, 6, 1, 2, 3}, wire[EDGE_MAX_WIRE_BYTES];
    start();
    size_t used = edge_stuff(data, sizeof data, wire);
    firmware_receive(&stations[0].firmware, wire, used, clock_ms);
    run(300);
    /* Its only packets but STAT. */
    bool is_there = false;
    for (size_t i = 0; i + used <= stations[1].heard_bytes; i++)
        is_there |= memcmp(stations[1].heard + i, wire, used) == 0;
    CHECK(is_there);
}

static void test_the_oldest_make_room(void)
{
    uint8_t number, heard[EDGE_MAX_CONTENT_BYTES], content[100] = {0};
    start();
    for (number = 0; number < 30; number++) {
        content[0] = number;
        say(&stations[0], EDGE_TEXT, content, sizeof content);
    }
    CHECK(stations[0].firmware.bridge.lost == 30 - BRIDGE_QUEUE_BYTES / 107);
    run(3000);
    CHECK(count_heard(&stations[1], EDGE_TEXT, heard) == BRIDGE_QUEUE_BYTES / 107);
    CHECK(heard[0] == 29 && stations[0].firmware.bridge.queue_ms == 0);
}

static void test_a_channel_in_use_is_waited_for(void)
{
    uint8_t content[10] = {0}, heard[EDGE_MAX_CONTENT_BYTES];
    start();
    stations[0].chip.registers[0x18] = 1;
    say(&stations[0], EDGE_TEXT, content, sizeof content);
    run(BRIDGE_BUSY_MS / 2);
    CHECK(stations[0].firmware.bridge.state == BRIDGE_WAITING);
    CHECK(count_heard(&stations[0], EDGE_STAT, heard) > 0 && heard[12] == 2);
    run(BRIDGE_BUSY_MS);
    CHECK(count_heard(&stations[1], EDGE_TEXT, heard) == 1);
}

static void test_damaged_packets_are_counted(void)
{
    uint8_t content[10] = {0}, heard[EDGE_MAX_CONTENT_BYTES], wire[EDGE_MAX_WIRE_BYTES];
    start();
    stations[0].is_jammed = true;
    say(&stations[0], EDGE_TEXT, content, sizeof content);
    run(300);
    CHECK(count_heard(&stations[1], EDGE_TEXT, heard) == 0);
    CHECK(stations[1].firmware.bridge.lost == 1);
    size_t used = make_wire(EDGE_TEXT, content, sizeof content, wire);
    wire[5] ^= 2;
    firmware_receive(&stations[1].firmware, wire, used, clock_ms);
    CHECK(stations[1].firmware.bridge.lost == 2);
}

static void test_control_stays_off_the_air(void)
{
    uint8_t heard[EDGE_MAX_CONTENT_BYTES], stat[13] = {6, 11}, data[EDGE_MAX_PACKET_BYTES];
    edge_packet_t packet = {.type = EDGE_CTRL, .content = stat, .content_bytes = 2};
    start();
    say(&stations[0], EDGE_STAT, stat, sizeof stat);
    run(20);
    unsigned own = count_heard(&stations[1], EDGE_STAT, heard);
    run(200);
    CHECK(count_heard(&stations[1], EDGE_STAT, heard) == own);
    /* And what somebody else puts there is not heard. */
    size_t size = edge_pack_packet(&packet, data);
    sx127x_sim_receive(&stations[1].chip, data, size, false);
    run(20);
    CHECK(count_heard(&stations[1], EDGE_CTRL, heard) == 0);
    CHECK(stations[1].firmware.bridge.lost == 1);
}

typedef struct {
    uint8_t message[8];
    size_t size;
    uint8_t answer[16];
    size_t answer_size; /* 0: none is given. */
} exchange_t;

static const exchange_t EXCHANGES[] = {
    {{1, 3, 'a', 'b', 'c'}, 5, {0x81, 3, 'a', 'b', 'c'}, 5},
    {{2, 0}, 2, {0x82, 16, 0, 1, 0, 4, 0, 'e', 'd', 'g', 'e', '-'}, 12},
    {{3, 5, 3, 0, 0, 0, 10}, 7, {0x83, 5, 3, 0, 0, 0, 10}, 7},
    {{3, 5, 3, 0, 0, 0, 99}, 7, {0x83, 5, 3, 0, 0, 0, 10}, 7},
    {{3, 5, 1, 0x19, 0xDE, 0x50, 0x80}, 7, {0x83, 5, 1, 0x19, 0xDE, 0x50, 0x80}, 7},
    {{3, 5, 1, 0xFF, 0, 0, 0}, 7, {0x83, 5, 1, 0x19, 0xDE, 0x50, 0x80}, 7},
    {{3, 5, 4, 0, 0, 0, 9}, 7, {0x83, 5, 4, 0, 0, 0, 0}, 7},
    {{3, 5, 6, 0, 0, 0, 9}, 7, {0}, 0},
    {{4, 1, 1}, 3, {0x84, 1, 0}, 3},
    {{1, 9, 'a'}, 3, {0}, 0},
    {{9, 0}, 2, {0}, 0},
    {{2}, 1, {0}, 0},
    {{5, 0}, 2, {0}, 0},
};

static void test_control_is_answered(void)
{
    start();
    run(20);
    for (size_t i = 0; i < COUNT_OF(EXCHANGES); i++) {
        const exchange_t *exchange = &EXCHANGES[i];
        uint8_t heard[EDGE_MAX_CONTENT_BYTES] = {0};
        stations[0].heard_bytes = 0;
        say(&stations[0], EDGE_CTRL, exchange->message, exchange->size);
        unsigned answers = count_heard(&stations[0], EDGE_CTRL, heard);
        CHECK(answers == (exchange->answer_size > 0 ? 1u : 0u));
        CHECK(memcmp(heard, exchange->answer, exchange->answer_size) == 0);
    }
    /* Reset was the last one: it says at once that it is back, on the same channel. */
    run(20);
    CHECK(stations[0].firmware.radio.config.frequency_hz == 0x19DE5080);
}

static void test_state_is_told_twice_a_second(void)
{
    uint8_t heard[EDGE_MAX_CONTENT_BYTES];
    start();
    run(10000);
    CHECK(count_heard(&stations[0], EDGE_STAT, heard) == 20);
    static const uint8_t IDLE[13] = {6, 11, 0x8B, 0x80, 4, 0};
    CHECK(memcmp(heard, IDLE, sizeof IDLE) == 0);
}

static void test_any_bytes_are_taken(void)
{
    uint32_t random = 1;
    uint8_t data[64];
    start();
    for (unsigned n = 0; n < 4000; n++) {
        for (size_t i = 0; i < sizeof data; i++) {
            random = random * 1664525u + 1013904223u;
            data[i] = (uint8_t)(random >> 24) & (random & 0x700 ? 0xFF : 0);
        }
        stations[0].heard_bytes = stations[1].heard_bytes = 0;
        firmware_receive(&stations[0].firmware, data, random % sizeof data, clock_ms);
        sx127x_sim_receive(&stations[1].chip, data, random % sizeof data, false);
        run(STEP_MS);
    }
    CHECK(stations[0].firmware.bridge.lost > 0 && stations[1].firmware.bridge.lost > 0);
}

static void test_a_stuck_radio_is_set_up_anew(void)
{
    uint8_t heard[EDGE_MAX_CONTENT_BYTES];
    bridge_t *bridge = &stations[0].firmware.bridge;
    start();
    stations[0].is_stuck = true;
    say(&stations[0], EDGE_TEXT, (const uint8_t *)"a", 1);
    run(BRIDGE_STUCK_MS);
    CHECK(bridge->state == BRIDGE_SENDING);
    run(500);
    CHECK(bridge->state == BRIDGE_LISTENING && bridge->lost == 1);
    stations[0].is_stuck = false;
    say(&stations[0], EDGE_TEXT, (const uint8_t *)"b", 1);
    run(500);
    CHECK(count_heard(&stations[1], EDGE_TEXT, heard) == 1 && heard[0] == 'b');
    CHECK(bridge->state == BRIDGE_LISTENING && bridge->lost == 1);
}

static void test_no_radio_no_firmware(void)
{
    sx127x_config_t config = sx127x_defaults();
    firmware_board_t board = {transfer, to_host, &stations[0]};
    start();
    stations[0].chip.registers[0x42] = 0;
    CHECK(!firmware_init(&stations[0].firmware, &config, &board, 0));
    stations[0].chip.registers[0x42] = 0x12;
    config.bandwidth_hz = 1;
    CHECK(!firmware_init(&stations[0].firmware, &config, &board, 0));
}

/* Against the airtime of the manufacturer's calculator. */
static void test_airtime(void)
{
    sx127x_config_t config = sx127x_defaults();
    config.bandwidth_hz = 125000;
    CHECK(sx127x_airtime_ms(&config, 10) == 42);  /* 41.22 */
    config.spreading = 12;
    CHECK(sx127x_airtime_ms(&config, 10) == 992); /* 991.23 */
}

int main(void)
{
    test_packets_pass_as_they_are();
    test_secured_packets_pass_unread();
    test_the_oldest_make_room();
    test_a_channel_in_use_is_waited_for();
    test_damaged_packets_are_counted();
    test_control_stays_off_the_air();
    test_control_is_answered();
    test_state_is_told_twice_a_second();
    test_any_bytes_are_taken();
    test_a_stuck_radio_is_set_up_anew();
    test_no_radio_no_firmware();
    test_airtime();
    puts("bridge: ok");
    return 0;
}
