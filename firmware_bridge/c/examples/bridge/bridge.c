/*
 * The bridge's rules: what goes on the air, when, and what the host is told.
 */
#include "bridge.h"

#include <string.h>

#define NAME "edge-bridge"
#define MAX_PING_BYTES 32u
#define ANSWER 0x80u
#define LENGTH_BYTES 1u

typedef enum { PING = 1, INFO, SET, PTT, RESET, STAT } kind_t;

static const uint8_t FIRMWARE_VERSION[3] = {0, 1, 0};

typedef char check_a_length_fits_a_byte[EDGE_MAX_PACKET_BYTES <= UINT8_MAX ? 1 : -1];
typedef char check_queue_holds_a_packet[BRIDGE_QUEUE_BYTES > EDGE_MAX_PACKET_BYTES ? 1 : -1];

/* ---- Queue --------------------------------------------------------------------------- */

static void drop_oldest(bridge_t *bridge)
{
    size_t size = bridge->queue[0] + LENGTH_BYTES;
    bridge->queue_ms -= bridge->board.airtime_ms(bridge->board.user, bridge->queue[0]);
    bridge->queue_used = (uint16_t)(bridge->queue_used - size);
    memmove(bridge->queue, bridge->queue + size, bridge->queue_used);
}

/* Late voice is worth less than new voice: what is oldest makes room. */
static void enqueue(bridge_t *bridge, const uint8_t *packet, size_t size)
{
    while (bridge->queue_used + LENGTH_BYTES + size > sizeof bridge->queue) {
        drop_oldest(bridge);
        bridge->lost++;
    }
    bridge->queue[bridge->queue_used] = (uint8_t)size;
    memcpy(bridge->queue + bridge->queue_used + LENGTH_BYTES, packet, size);
    bridge->queue_used = (uint16_t)(bridge->queue_used + LENGTH_BYTES + size);
    bridge->queue_ms += bridge->board.airtime_ms(bridge->board.user, size);
}

/* ---- Host control -------------------------------------------------------------------- */

static void put_big_endian(uint8_t *out, size_t size, uint32_t value)
{
    for (; size > 0; value >>= 8)
        out[--size] = (uint8_t)value;
}

static void tell_host(bridge_t *bridge, edge_type_t type, uint8_t kind, const uint8_t *body,
                      size_t size)
{
    uint8_t content[2 + 64], packet[EDGE_MAX_PACKET_BYTES], wire[EDGE_MAX_WIRE_BYTES];
    edge_packet_t fields = {
        .type = type,
        .sequence = bridge->number++,
        .profile_id = EDGE_PROFILE_IN_HELLO,
        .content = content,
        .content_bytes = (uint8_t)(2 + size),
    };
    content[0] = kind;
    content[1] = (uint8_t)size;
    if (size > 0)
        memcpy(content + 2, body, size);
    size_t used = edge_stuff(packet, edge_pack_packet(&fields, packet), wire);
    bridge->board.to_host(bridge->board.user, wire, used);
}

static void answer(bridge_t *bridge, kind_t kind, const uint8_t *body, size_t size)
{
    tell_host(bridge, EDGE_CTRL, (uint8_t)((unsigned)kind | ANSWER), body, size);
}

static void answer_info(bridge_t *bridge)
{
    uint8_t body[sizeof FIRMWARE_VERSION + 2 + sizeof NAME - 1];
    memcpy(body, FIRMWARE_VERSION, sizeof FIRMWARE_VERSION);
    put_big_endian(body + 3, 2, BRIDGE_QUEUE_BYTES);
    memcpy(body + 5, NAME, sizeof NAME - 1);
    answer(bridge, INFO, body, sizeof body);
}

static void answer_set(bridge_t *bridge, const uint8_t *body)
{
    uint8_t result[5] = {body[0]};
    uint32_t value = 0;
    if (body[0] < BRIDGE_FREQUENCY_HZ || body[0] > BRIDGE_TAIL_MS)
        return;
    for (size_t i = 1; i < sizeof result; i++)
        value = value << 8 | body[i];
    int32_t in_force = bridge->board.set(bridge->board.user, (bridge_parameter_t)body[0],
                                         (int32_t)value);
    put_big_endian(result + 1, 4, (uint32_t)in_force);
    answer(bridge, SET, result, sizeof result);
}

static void start_anew(bridge_t *bridge, uint32_t now_ms)
{
    bridge_board_t board = bridge->board;
    board.reset(board.user);
    bridge_init(bridge, &board, now_ms);
}

/* Messages of a wrong length mean nothing, as those of kinds not known. */
static void obey(bridge_t *bridge, const edge_packet_t *packet, uint32_t now_ms)
{
    const uint8_t *body = packet->content + 2;
    if (packet->content_bytes < 2 || packet->content_bytes - 2u < packet->content[1])
        return;
    size_t size = packet->content[1];
    if (packet->content[0] == PING && size <= MAX_PING_BYTES) {
        answer(bridge, PING, body, size);
    } else if (packet->content[0] == INFO && size == 0) {
        answer_info(bridge);
    } else if (packet->content[0] == SET && size == 5) {
        answer_set(bridge, body);
    } else if (packet->content[0] == PTT && size == 1) {
        /* The radio keys itself for each packet. */
        uint8_t is_on = bridge->state == BRIDGE_SENDING;
        answer(bridge, PTT, &is_on, 1);
    } else if (packet->content[0] == RESET && size == 0) {
        start_anew(bridge, now_ms);
    }
}

static int8_t as_byte(int16_t db)
{
    return (int8_t)(db < -127 ? -127 : db > 127 ? 127 : db);
}

static uint16_t at_most_16_bits(uint32_t value)
{
    return (uint16_t)(value < UINT16_MAX ? value : UINT16_MAX);
}

static void tell_state(bridge_t *bridge)
{
    uint8_t body[11];
    int16_t level_dbm = BRIDGE_UNKNOWN_DB;
    bool is_sending = bridge->state == BRIDGE_SENDING;
    bool is_busy = bridge->board.is_busy(bridge->board.user, &level_dbm);
    body[0] = (uint8_t)(is_sending ? BRIDGE_UNKNOWN_DB : as_byte(level_dbm));
    body[1] = (uint8_t)bridge->snr_db;
    put_big_endian(body + 2, 2, (uint32_t)(BRIDGE_QUEUE_BYTES - bridge->queue_used));
    put_big_endian(body + 4, 2, at_most_16_bits(bridge->queue_ms));
    put_big_endian(body + 6, 4, bridge->lost);
    body[10] = (uint8_t)((is_sending ? 1u : 0u) | (is_busy ? 2u : 0u));
    tell_host(bridge, EDGE_STAT, STAT, body, sizeof body);
}

/* ---- Packets ------------------------------------------------------------------------- */

static bool may_go_on_air(const uint8_t *data)
{
    unsigned type = data[0] >> 3 & 7u;
    return type != EDGE_CTRL && type != EDGE_STAT;
}

/* Secured packets cannot be checked here: they are passed on as they are. */
static bool is_good(const uint8_t *data, size_t size, edge_packet_t *packet)
{
    edge_damage_t damage = edge_unpack_packet(data, size, packet);
    return damage == EDGE_OK || (damage == EDGE_DAMAGE_SECURED && may_go_on_air(data));
}

static void take_line(bridge_t *bridge, uint32_t now_ms)
{
    edge_packet_t packet;
    size_t size = bridge->line_used;
    bridge->line_used = 0;
    if (edge_unstuff(bridge->line, &size) != EDGE_OK || !is_good(bridge->line, size, &packet))
        bridge->lost++;
    else if (may_go_on_air(bridge->line))
        enqueue(bridge, bridge->line, size);
    else if (packet.type == EDGE_CTRL)
        obey(bridge, &packet, now_ms);
}

void bridge_init(bridge_t *bridge, const bridge_board_t *board, uint32_t now_ms)
{
    memset(bridge, 0, sizeof *bridge);
    bridge->board = *board;
    bridge->snr_db = BRIDGE_UNKNOWN_DB;
    bridge->stat_ms = now_ms - BRIDGE_STAT_MS;
}

void bridge_from_host(bridge_t *bridge, const uint8_t *data, size_t size, uint32_t now_ms)
{
    for (size_t i = 0; i < size; i++) {
        if (data[i] != 0) {
            /* One more than fits is counted, to know that it is too long. */
            if (bridge->line_used < sizeof bridge->line)
                bridge->line[bridge->line_used] = data[i];
            if (bridge->line_used <= sizeof bridge->line)
                bridge->line_used++;
        } else if (bridge->line_used > 0) {
            take_line(bridge, now_ms);
        }
    }
}

void bridge_from_radio(bridge_t *bridge, const uint8_t *data, size_t size, int8_t snr_db)
{
    uint8_t wire[EDGE_MAX_WIRE_BYTES];
    edge_packet_t packet;
    bridge->snr_db = snr_db;
    if (!is_good(data, size, &packet) || !may_go_on_air(data)) {
        bridge->lost++;
        return;
    }
    size_t used = edge_stuff(data, size, wire);
    bridge->board.to_host(bridge->board.user, wire, used);
}

void bridge_lost_one(bridge_t *bridge)
{
    bridge->lost++;
}

void bridge_sent(bridge_t *bridge, uint32_t now_ms)
{
    if (bridge->state == BRIDGE_SENDING)
        bridge->state = BRIDGE_LISTENING;
    bridge_tick(bridge, now_ms);
}

static void send_oldest(bridge_t *bridge, uint32_t now_ms)
{
    const bridge_board_t *board = &bridge->board;
    const uint8_t *packet = bridge->queue + LENGTH_BYTES;
    if (!board->to_radio(board->user, packet, bridge->queue[0]))
        return;
    bridge->state = BRIDGE_SENDING;
    bridge->sending_since_ms = now_ms;
    bridge->sending_at_most_ms = board->airtime_ms(board->user, bridge->queue[0]) + BRIDGE_STUCK_MS;
    drop_oldest(bridge);
}

/* A radio that never says it has sent would keep the bridge silent for good. */
static void free_stuck_radio(bridge_t *bridge)
{
    bridge->board.reset(bridge->board.user);
    bridge->lost++;
    bridge->state = BRIDGE_LISTENING;
}

void bridge_tick(bridge_t *bridge, uint32_t now_ms)
{
    int16_t level_dbm;
    if (bridge->state == BRIDGE_SENDING &&
        now_ms - bridge->sending_since_ms >= bridge->sending_at_most_ms)
        free_stuck_radio(bridge);
    if (bridge->state == BRIDGE_LISTENING && bridge->queue_used > 0) {
        bridge->state = BRIDGE_WAITING;
        bridge->waiting_since_ms = now_ms;
    }
    if (bridge->state == BRIDGE_WAITING &&
        (now_ms - bridge->waiting_since_ms >= BRIDGE_BUSY_MS ||
         !bridge->board.is_busy(bridge->board.user, &level_dbm)))
        send_oldest(bridge, now_ms);
    if (now_ms - bridge->stat_ms >= BRIDGE_STAT_MS) {
        bridge->stat_ms = now_ms;
        tell_state(bridge);
    }
}
