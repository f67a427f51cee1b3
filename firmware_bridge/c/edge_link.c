/*
 * The two ends of a packet link: bytes to events, superframes to bytes.
 *
 * Knows the rules of sending and receiving; how bytes look is left to edge_packet.c.
 */
#include "edge_link.h"

#include <string.h>

#define OPENING_HELLOS 2
#define SLOW_BPS 2400ul
#define SLOW_HELLO_MS 5000u
#define FAST_HELLO_MS 2000u

static edge_damage_t receive_voice(edge_session_t *session, const edge_packet_t *packet,
                                   uint32_t now_ms)
{
    edge_profile_t profile;
    if (!edge_profile_from_id(packet->profile_id, &profile)) {
        const edge_profile_t *known = edge_session_profile(session, packet->stream_tag);
        if (known == NULL)
            return EDGE_DAMAGE_PROFILE;
        profile = *known;
    }
    edge_voice_t voice;
    edge_damage_t damage = edge_unpack_voice(&profile, packet, &voice);
    if (damage != EDGE_OK)
        return damage;
    edge_frames_t frames = {
        .profile = &profile,
        .base = voice.base,
        .enhancement = voice.enhancement,
        .layers = voice.layers,
    };
    edge_session_voice(session, packet->stream_tag, packet->sequence, &frames, &voice, now_ms);
    return EDGE_OK;
}

static edge_damage_t receive_hello(edge_session_t *session, const edge_packet_t *packet,
                                   uint32_t now_ms)
{
    edge_hello_t hello;
    if (packet->content_bytes != EDGE_HELLO_BYTES ||
        !edge_unpack_hello(packet->content, &hello))
        return EDGE_DAMAGE_CONTENT;
    if (packet->type == EDGE_END)
        edge_session_end(session, packet->stream_tag, packet->sequence, &hello, now_ms);
    else
        edge_session_hello(session, packet->stream_tag, packet->sequence, &hello, now_ms);
    return EDGE_OK;
}

static edge_damage_t receive_message(edge_session_t *session, const edge_packet_t *packet)
{
    edge_event_t event = {
        .kind = EDGE_EVENT_MESSAGE,
        .stream_tag = packet->stream_tag,
        .as.message = packet,
    };
    session->stats.message_received++;
    session->on_event(session->user, &event);
    return EDGE_OK;
}

static edge_damage_t receive_piece(edge_rx_t *rx, uint32_t now_ms)
{
    size_t size = rx->used;
    edge_packet_t packet;
    edge_damage_t damage = edge_unstuff(rx->buffer, &size);
    if (damage == EDGE_OK)
        damage = edge_unpack_packet(rx->buffer, size, &packet);
    if (damage != EDGE_OK)
        return damage;
    if (packet.type == EDGE_VOICE)
        return receive_voice(&rx->session, &packet, now_ms);
    if (packet.type == EDGE_HELLO || packet.type == EDGE_END)
        return receive_hello(&rx->session, &packet, now_ms);
    return receive_message(&rx->session, &packet);
}

void edge_rx_init(edge_rx_t *rx, edge_event_fn on_event, void *user)
{
    edge_session_init(&rx->session, on_event, user);
    rx->used = 0;
}

void edge_rx_push(edge_rx_t *rx, const uint8_t *data, size_t size, uint32_t now_ms)
{
    rx->session.stats.bytes_received += (uint32_t)size;
    for (size_t i = 0; i < size; i++) {
        if (data[i] != 0) {
            /* One more than fits is counted, to know that a piece is too long. */
            if (rx->used < sizeof rx->buffer)
                rx->buffer[rx->used] = data[i];
            if (rx->used <= sizeof rx->buffer)
                rx->used++;
        } else if (rx->used > 0) {
            edge_damage_t damage = receive_piece(rx, now_ms);
            rx->used = 0;
            if (damage != EDGE_OK)
                edge_session_damaged(&rx->session, damage);
        }
    }
}

void edge_rx_tick(edge_rx_t *rx, uint32_t now_ms)
{
    edge_session_tick(&rx->session, now_ms);
}

bool edge_tx_init(edge_tx_t *tx, const edge_hello_t *hello, uint8_t stream_tag, uint8_t red,
                  edge_write_fn write, void *user)
{
    memset(tx, 0, sizeof *tx);
    tx->profile = hello->profile;
    tx->write = write;
    tx->user = user;
    tx->tag = stream_tag;
    tx->red = red;
    return red <= EDGE_MAX_RED && edge_pack_hello(hello, tx->hello);
}

/* Fill in what all packets of the spurt share, write it, behind a delimiter if it opens. */
static void send_packet(edge_tx_t *tx, edge_packet_t *packet)
{
    packet->stream_tag = tx->tag;
    size_t size = edge_pack_packet(packet, tx->packet);
    bool is_opening = packet->type == EDGE_HELLO && tx->stats.hello_sent == 0;
    tx->wire[0] = 0;
    size = 1 + edge_stuff(tx->packet, size, tx->wire + 1);
    const uint8_t *from = is_opening ? tx->wire : tx->wire + 1;
    size = is_opening ? size : size - 1;
    tx->stats.bytes_sent += (uint32_t)size;
    tx->write(tx->user, from, size);
}

static void send_hello(edge_tx_t *tx, edge_type_t type)
{
    edge_packet_t packet = {
        .type = type,
        .sequence = (uint8_t)tx->stats.voice_sent,
        .profile_id = edge_profile_id(&tx->profile),
        .has_red = (tx->red & 2u) != 0,
        .is_first = (tx->red & 1u) != 0,
        .content = tx->hello,
        .content_bytes = EDGE_HELLO_BYTES,
    };
    send_packet(tx, &packet);
}

void edge_tx_open(edge_tx_t *tx, uint32_t now_ms)
{
    send_hello(tx, EDGE_HELLO);
    tx->stats.hello_sent++;
    tx->hello_ms = now_ms;
}

static uint32_t hello_interval_ms(const edge_profile_t *p)
{
    uint32_t superframe_bits = (uint32_t)p->layers * p->frames * p->bits_per_code;
    return superframe_bits * 1000 <= SLOW_BPS * p->superframe_ms ? SLOW_HELLO_MS
                                                                 : FAST_HELLO_MS;
}

static bool is_hello_due(const edge_tx_t *tx, uint32_t now_ms)
{
    return tx->stats.hello_sent < OPENING_HELLOS ||
           now_ms - tx->hello_ms >= hello_interval_ms(&tx->profile);
}

bool edge_tx_voice(edge_tx_t *tx, const uint8_t *base, const uint8_t *enhancement,
                   uint8_t layers, uint32_t now_ms)
{
    uint32_t number = tx->stats.voice_sent;
    bool has_red = tx->red > 0 && number >= tx->red;
    uint8_t content[EDGE_MAX_CONTENT_BYTES];
    edge_voice_t voice = {
        .base = base,
        .enhancement = enhancement,
        .red = has_red ? tx->bases[(number - tx->red) % EDGE_MAX_RED] : NULL,
        .red_distance = tx->red,
        .layers = layers,
    };
    size_t size = edge_pack_voice(&tx->profile, &voice, content);
    if (size == 0 || tx->stats.end_sent > 0)
        return false;
    if (tx->stats.hello_sent == 0)
        edge_tx_open(tx, now_ms);
    if (is_hello_due(tx, now_ms))
        edge_tx_open(tx, now_ms);
    edge_packet_t packet = {
        .type = EDGE_VOICE,
        .sequence = (uint8_t)number,
        .profile_id = edge_profile_id(&tx->profile),
        .has_red = has_red,
        .is_first = number == 0,
        .content = content,
        .content_bytes = (uint8_t)size,
    };
    send_packet(tx, &packet);
    memcpy(tx->bases[number % EDGE_MAX_RED], base, edge_base_bytes(&tx->profile));
    tx->stats.voice_sent++;
    return true;
}

bool edge_tx_message(edge_tx_t *tx, edge_type_t type, const uint8_t *payload, size_t size)
{
    if (type < EDGE_CTRL || type > EDGE_STAT || size > EDGE_MAX_CONTENT_BYTES)
        return false;
    edge_packet_t packet = {
        .type = type,
        .sequence = (uint8_t)tx->stats.message_sent,
        .profile_id = EDGE_PROFILE_IN_HELLO,
        .content = payload,
        .content_bytes = (uint8_t)size,
    };
    send_packet(tx, &packet);
    tx->stats.message_sent++;
    return true;
}

void edge_tx_end(edge_tx_t *tx)
{
    if (tx->stats.hello_sent == 0 || tx->stats.end_sent > 0)
        return;
    send_hello(tx, EDGE_END);
    tx->stats.end_sent++;
}
