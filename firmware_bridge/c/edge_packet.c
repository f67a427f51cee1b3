/*
 * Packets: checksum, stuffing, header, and the contents of VOICE, HELLO and END.
 *
 * Knows bytes and fields, no streams and no state.
 */
#include "edge_link.h"

#include <string.h>

#define VERSION 1u
#define FLAG_SECURED 4u
#define FLAG_RED 2u
#define FLAG_FIRST 1u
#define RUN_BYTES 254u
#define MAX_STUFFED_BYTES (EDGE_MAX_WIRE_BYTES - 1)
#define BROADCAST "@ALL"
#define BROADCAST_VALUE 0xFFFFFFFFFFFFu
#define GROUP_PREFIX '#'
#define FIRST_GROUP ((uint64_t)262144000000000) /* 40^9 */

typedef char check_wire_size[EDGE_MAX_WIRE_BYTES == EDGE_MAX_PACKET_BYTES + 3 ? 1 : -1];
typedef char check_length_fits_a_byte[EDGE_MAX_CONTENT_BYTES <= UINT8_MAX ? 1 : -1];

static const char ALPHABET[] = " ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-/.";

uint16_t edge_crc16(uint16_t crc, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        uint16_t x = (uint16_t)(crc >> 8 ^ data[i]);
        x = (uint16_t)(x ^ x >> 4);
        crc = (uint16_t)(crc << 8 ^ x << 12 ^ x << 5 ^ x);
    }
    return crc;
}

size_t edge_stuff(const uint8_t *data, size_t size, uint8_t *wire)
{
    if (size > EDGE_MAX_PACKET_BYTES)
        return 0;
    size_t used = 1, count_at = 0;
    for (size_t i = 0; i < size; i++) {
        if (data[i] != 0)
            wire[used++] = data[i];
        bool is_full = used - count_at > RUN_BYTES;
        if (data[i] == 0 || (is_full && i + 1 < size)) {
            wire[count_at] = (uint8_t)(used - count_at);
            count_at = used++;
        }
    }
    wire[count_at] = (uint8_t)(used - count_at);
    wire[used++] = 0;
    return used;
}

edge_damage_t edge_unstuff(uint8_t *data, size_t *size)
{
    if (*size > MAX_STUFFED_BYTES)
        return EDGE_DAMAGE_OVERSIZE;
    size_t used = 0, i = 0;
    while (i < *size) {
        size_t count = data[i++];
        if (count == 0 || count - 1 > *size - i)
            return EDGE_DAMAGE_STUFFING;
        memmove(data + used, data + i, count - 1);
        used += count - 1;
        i += count - 1;
        if (count <= RUN_BYTES && i < *size)
            data[used++] = 0;
    }
    *size = used;
    return used <= EDGE_MAX_PACKET_BYTES ? EDGE_OK : EDGE_DAMAGE_OVERSIZE;
}

static size_t bytes_of(size_t bits)
{
    return (bits + 7) / 8;
}

static size_t layer_bits(const edge_profile_t *profile)
{
    return (size_t)profile->frames * profile->bits_per_code;
}

size_t edge_base_bytes(const edge_profile_t *profile)
{
    return bytes_of(profile->base_layers * layer_bits(profile));
}

size_t edge_enhancement_bytes(const edge_profile_t *profile, uint8_t layers)
{
    return bytes_of((size_t)(layers - profile->base_layers) * layer_bits(profile));
}

static bool is_in(unsigned value, unsigned lowest, unsigned highest)
{
    return lowest <= value && value <= highest;
}

bool edge_profile_is_valid(const edge_profile_t *p)
{
    return is_in(p->layers, 1, 32) && is_in(p->base_layers, 1, 8) &&
           is_in(p->bits_per_code, 1, 16) && is_in(p->frames, 1, 64) &&
           is_in(p->superframe_ms, 40, 640) && p->superframe_ms % 10 == 0 &&
           p->base_layers <= p->layers && layer_bits(p) >= 8 &&
           1 + 2 * edge_base_bytes(p) + edge_enhancement_bytes(p, p->layers) <=
               EDGE_MAX_CONTENT_BYTES;
}

bool edge_profile_equals(const edge_profile_t *a, const edge_profile_t *b)
{
    return a->layers == b->layers && a->base_layers == b->base_layers &&
           a->bits_per_code == b->bits_per_code && a->frames == b->frames &&
           a->superframe_ms == b->superframe_ms;
}

bool edge_profile_from_id(uint8_t id, edge_profile_t *profile)
{
    if (!is_in(id, 1, 12))
        return false;
    profile->layers = id;
    profile->base_layers = id < 2 ? id : 2;
    profile->bits_per_code = 10;
    profile->superframe_ms = id <= 3 ? 480 : id <= 8 ? 240 : 120;
    profile->frames = (uint8_t)(profile->superframe_ms / 20);
    return true;
}

uint8_t edge_profile_id(const edge_profile_t *profile)
{
    edge_profile_t known;
    bool is_known = edge_profile_from_id(profile->layers, &known);
    return is_known && edge_profile_equals(profile, &known) ? profile->layers
                                                            : EDGE_PROFILE_IN_HELLO;
}

static size_t code_at(const edge_profile_t *profile, uint8_t layer, uint8_t frame)
{
    return ((size_t)layer * profile->frames + frame) * profile->bits_per_code;
}

uint16_t edge_get_code(const uint8_t *packed, const edge_profile_t *profile, uint8_t layer,
                       uint8_t frame)
{
    size_t first = code_at(profile, layer, frame);
    unsigned code = 0;
    for (size_t at = first; at < first + profile->bits_per_code; at++)
        code = code << 1 | ((unsigned)packed[at / 8] >> (7 - at % 8) & 1u);
    return (uint16_t)code;
}

void edge_set_code(uint8_t *packed, const edge_profile_t *profile, uint8_t layer,
                   uint8_t frame, uint16_t code)
{
    size_t at = code_at(profile, layer, frame) + profile->bits_per_code;
    for (unsigned bit = 0; bit < profile->bits_per_code; bit++) {
        unsigned mask = 0x80u >> --at % 8;
        bool is_one = ((unsigned)code >> bit & 1u) != 0;
        packed[at / 8] = (uint8_t)(is_one ? packed[at / 8] | mask : packed[at / 8] & ~mask);
    }
}

void edge_pack_codes(const edge_profile_t *p, const uint16_t *codes, uint8_t *base,
                     uint8_t *enhancement)
{
    memset(base, 0, edge_base_bytes(p));
    if (p->layers > p->base_layers)
        memset(enhancement, 0, edge_enhancement_bytes(p, p->layers));
    for (uint8_t f = 0; f < p->frames; f++)
        for (uint8_t k = 0; k < p->layers; k++) {
            bool is_base = k < p->base_layers;
            edge_set_code(is_base ? base : enhancement, p,
                          is_base ? k : (uint8_t)(k - p->base_layers), f, *codes++);
        }
}

void edge_unpack_codes(const edge_profile_t *p, const uint8_t *base,
                       const uint8_t *enhancement, uint8_t layers, uint16_t *codes)
{
    for (uint8_t f = 0; f < p->frames; f++)
        for (uint8_t k = 0; k < layers; k++) {
            bool is_base = k < p->base_layers;
            codes[(size_t)f * p->layers + k] =
                edge_get_code(is_base ? base : enhancement, p,
                              is_base ? k : (uint8_t)(k - p->base_layers), f);
        }
}

static void put_big_endian(uint8_t *out, size_t size, uint64_t value)
{
    for (; size > 0; value >>= 8)
        out[--size] = (uint8_t)value;
}

static uint64_t get_big_endian(const uint8_t *data, size_t size)
{
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++)
        value = value << 8 | data[i];
    return value;
}

bool edge_pack_callsign(const char *text, uint8_t packed[EDGE_CALLSIGN_BYTES])
{
    size_t size = 0;
    while (size < EDGE_CALLSIGN_SIZE && text[size] != '\0')
        size++;
    if (size == EDGE_CALLSIGN_SIZE)
        return false;
    bool is_group = text[0] == GROUP_PREFIX;
    size_t first = is_group ? 1 : 0;
    uint64_t value = 0;
    if (strcmp(text, BROADCAST) == 0) {
        value = BROADCAST_VALUE;
        size = first;
    } else if (is_group && size == first) {
        return false;
    }
    while (size > first) {
        const char *found = strchr(ALPHABET + 1, text[--size]);
        if (found == NULL)
            return false;
        value = value * 40 + (uint64_t)(found - ALPHABET);
    }
    put_big_endian(packed, EDGE_CALLSIGN_BYTES, value + (is_group ? FIRST_GROUP : 0));
    return true;
}

bool edge_unpack_callsign(const uint8_t packed[EDGE_CALLSIGN_BYTES],
                          char text[EDGE_CALLSIGN_SIZE])
{
    uint64_t value = get_big_endian(packed, EDGE_CALLSIGN_BYTES);
    size_t size = 0;
    if (value == BROADCAST_VALUE) {
        memcpy(text, BROADCAST, sizeof BROADCAST);
        return true;
    }
    bool is_group = value >= FIRST_GROUP;
    if (is_group) {
        text[size++] = GROUP_PREFIX;
        value -= FIRST_GROUP;
        if (value == 0)
            return false;
    }
    for (; value > 0; value /= 40) {
        if (value % 40 == 0 || size == EDGE_CALLSIGN_SIZE - 1)
            return false;
        text[size++] = ALPHABET[value % 40];
    }
    text[size] = '\0';
    return true;
}

static uint32_t descriptor_of(const edge_profile_t *p)
{
    uint32_t value = p->layers - 1u;
    value = value << 3 | (p->base_layers - 1u);
    value = value << 4 | (p->bits_per_code - 1u);
    value = value << 6 | (p->frames - 1u);
    return value << 6 | (p->superframe_ms / 10u - 1u);
}

static edge_profile_t profile_of(uint32_t descriptor)
{
    edge_profile_t profile = {
        .layers = (uint8_t)((descriptor >> 19) + 1),
        .base_layers = (uint8_t)((descriptor >> 16 & 7u) + 1),
        .bits_per_code = (uint8_t)((descriptor >> 12 & 15u) + 1),
        .frames = (uint8_t)((descriptor >> 6 & 63u) + 1),
        .superframe_ms = (uint16_t)(((descriptor & 63u) + 1) * 10),
    };
    return profile;
}

bool edge_pack_hello(const edge_hello_t *hello, uint8_t body[EDGE_HELLO_BYTES])
{
    if (!edge_pack_callsign(hello->destination, body) ||
        !edge_pack_callsign(hello->source, body + 6) || !edge_profile_is_valid(&hello->profile))
        return false;
    memcpy(body + 12, hello->model_hash, sizeof hello->model_hash);
    put_big_endian(body + 16, 3, descriptor_of(&hello->profile));
    memcpy(body + 19, hello->nonce, sizeof hello->nonce);
    body[27] = hello->epoch;
    return true;
}

bool edge_unpack_hello(const uint8_t body[EDGE_HELLO_BYTES], edge_hello_t *hello)
{
    memcpy(hello->model_hash, body + 12, sizeof hello->model_hash);
    hello->profile = profile_of((uint32_t)get_big_endian(body + 16, 3));
    memcpy(hello->nonce, body + 19, sizeof hello->nonce);
    hello->epoch = body[27];
    return edge_unpack_callsign(body, hello->destination) &&
           edge_unpack_callsign(body + 6, hello->source) &&
           edge_profile_is_valid(&hello->profile);
}

size_t edge_pack_packet(const edge_packet_t *packet, uint8_t *data)
{
    size_t end = EDGE_HEADER_BYTES + (size_t)packet->content_bytes;
    if (packet->content_bytes > EDGE_MAX_CONTENT_BYTES)
        return 0;
    unsigned flags = (packet->has_red ? FLAG_RED : 0u) | (packet->is_first ? FLAG_FIRST : 0u);
    data[0] = (uint8_t)(VERSION << 6 | (unsigned)packet->type << 3 | flags);
    data[1] = packet->stream_tag;
    data[2] = packet->sequence;
    data[3] = packet->profile_id;
    if (packet->content_bytes > 0)
        memcpy(data + EDGE_HEADER_BYTES, packet->content, packet->content_bytes);
    put_big_endian(data + end, EDGE_CRC_BYTES, edge_crc16(0xFFFF, data, end));
    return end + EDGE_CRC_BYTES;
}

edge_damage_t edge_unpack_packet(const uint8_t *data, size_t size, edge_packet_t *packet)
{
    if (size < EDGE_HEADER_BYTES + EDGE_CRC_BYTES)
        return EDGE_DAMAGE_SHORT;
    if (size > EDGE_MAX_PACKET_BYTES)
        return EDGE_DAMAGE_OVERSIZE;
    unsigned version = data[0] >> 6, type = data[0] >> 3 & 7u;
    /* A tag made with a key takes the place of the CRC. */
    if (version == VERSION && (data[0] & FLAG_SECURED))
        return EDGE_DAMAGE_SECURED;
    /* Over a packet and its own CRC, the CRC is zero. */
    if (edge_crc16(0xFFFF, data, size) != 0)
        return EDGE_DAMAGE_CRC;
    if (version != VERSION)
        return EDGE_DAMAGE_VERSION;
    if (type > EDGE_STAT)
        return EDGE_DAMAGE_TYPE;
    packet->type = (edge_type_t)type;
    packet->stream_tag = data[1];
    packet->sequence = data[2];
    packet->profile_id = data[3];
    packet->has_red = (data[0] & FLAG_RED) != 0;
    packet->is_first = (data[0] & FLAG_FIRST) != 0;
    packet->content = data + EDGE_HEADER_BYTES;
    packet->content_bytes = (uint8_t)(size - EDGE_HEADER_BYTES - EDGE_CRC_BYTES);
    return EDGE_OK;
}

size_t edge_pack_voice(const edge_profile_t *profile, const edge_voice_t *voice,
                       uint8_t *content)
{
    if (!is_in(voice->layers, profile->base_layers, profile->layers))
        return 0;
    size_t base_bytes = edge_base_bytes(profile), used = base_bytes;
    size_t upper_bytes = edge_enhancement_bytes(profile, voice->layers);
    memcpy(content, voice->base, base_bytes);
    if (voice->red != NULL) {
        content[used] = voice->red_distance;
        memcpy(content + used + 1, voice->red, base_bytes);
        used += 1 + base_bytes;
    }
    if (upper_bytes > 0) {
        memcpy(content + used, voice->enhancement, upper_bytes);
        used += upper_bytes;
        /* Cut behind a layer that ends inside a byte: what follows it must not be sent. */
        size_t upper_layers = (size_t)voice->layers - profile->base_layers;
        size_t spare_bits = upper_bytes * 8 - upper_layers * layer_bits(profile);
        content[used - 1] = (uint8_t)(content[used - 1] & 0xFFu << spare_bits);
    }
    return used;
}

edge_damage_t edge_unpack_voice(const edge_profile_t *profile, const edge_packet_t *packet,
                                edge_voice_t *voice)
{
    size_t base_bytes = edge_base_bytes(profile);
    size_t lower_bytes = packet->has_red ? 1 + 2 * base_bytes : base_bytes;
    if (packet->content_bytes < lower_bytes)
        return EDGE_DAMAGE_LENGTH;
    size_t upper_bytes = packet->content_bytes - lower_bytes;
    size_t layers = profile->base_layers + upper_bytes * 8 / layer_bits(profile);
    if (layers > profile->layers ||
        edge_enhancement_bytes(profile, (uint8_t)layers) != upper_bytes)
        return EDGE_DAMAGE_LENGTH;
    voice->base = packet->content;
    voice->enhancement = packet->content + lower_bytes;
    voice->red = packet->has_red ? packet->content + base_bytes + 1 : NULL;
    voice->red_distance = packet->has_red ? packet->content[base_bytes] : 0;
    voice->layers = (uint8_t)layers;
    return packet->has_red && voice->red_distance == 0 ? EDGE_DAMAGE_CONTENT : EDGE_OK;
}
