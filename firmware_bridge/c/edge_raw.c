/*
 * One raw frame: marker, header, content; each protected as it deserves.
 *
 * Knows the bits of a frame, not which frame belongs to which stream.
 */
#include "edge_raw.h"

#include <string.h>

#define VERSION 1u
#define RAW_HEADER_BYTES 3
#define HEADER_BITS 48u
#define GROUP_CRC_BITS 8u
#define CRC_BITS 16u
#define HELLO_BITS (8 * EDGE_HELLO_BYTES + CRC_BITS + EDGE_TAIL_BITS)
#define HELLO_CODED_BITS (2 * HELLO_BITS)
/* One in so many contradicted bits, and it is no block, or no group: noise comes to one in seven. */
#define BLOCK_SHARE 12u
#define GROUP_SHARE 10u

static const uint8_t MARKER[EDGE_MARKER_BYTES] = {0x1A, 0xCF, 0xFC, 0x1D};

typedef char check_hello_fits[HELLO_BITS <= EDGE_MAX_BLOCK_BITS ? 1 : -1];
typedef char check_bits_fit[EDGE_MAX_FRAME_BYTES <= UINT16_MAX / 8 ? 1 : -1];

/* ---- Sizes --------------------------------------------------------------------------- */

bool edge_raw_profile(uint8_t layers, edge_profile_t *profile)
{
    if (!edge_profile_from_id(layers, profile))
        return false;
    profile->superframe_ms = layers <= 2 ? 480 : layers <= 8 ? 240 : 160;
    profile->frames = (uint8_t)(profile->superframe_ms / 20);
    if (layers == 5 || layers == 6)
        profile->base_layers = layers;
    return true;
}

/* Groups of 80 ms, 160 ms in superframes of more than 240 ms; a half rounds to even. */
static uint8_t groups_of(const edge_profile_t *profile)
{
    unsigned group_ms = profile->superframe_ms > 240 ? 160 : 80;
    unsigned groups = profile->superframe_ms / group_ms;
    unsigned twice_rest = 2 * (profile->superframe_ms % group_ms);
    if (twice_rest > group_ms || (twice_rest == group_ms && groups % 2 == 1))
        groups++;
    return (uint8_t)(groups > 0 ? groups : 1);
}

static uint32_t common_divisor(uint32_t a, uint32_t b)
{
    while (b != 0) {
        uint32_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

static uint32_t stride_of(uint32_t bits)
{
    uint32_t stride = (618 * bits + 999) / 1000;
    while (stride % 2 == 0 || common_divisor(stride, bits) != 1)
        stride++;
    return stride;
}

bool edge_raw_format(const edge_profile_t *p, edge_raw_format_t *format)
{
    if (!edge_profile_is_valid(p))
        return false;
    uint32_t layer_bits = (uint32_t)p->frames * p->bits_per_code, groups = groups_of(p);
    uint32_t upper_layers = (uint32_t)p->layers - p->base_layers;
    uint32_t base_bits =
        p->base_layers * layer_bits + groups * GROUP_CRC_BITS + EDGE_TAIL_BITS;
    uint32_t upper_bits =
        upper_layers > 0 ? upper_layers * layer_bits + CRC_BITS + EDGE_TAIL_BITS : 0;
    size_t content = edge_coded_bits(base_bits, false) + edge_coded_bits(upper_bits, true);
    content = content > HELLO_CODED_BITS ? content : HELLO_CODED_BITS;
    size_t body_bits = HEADER_BITS + (content + 7) / 8 * 8;
    size_t frame_bytes = EDGE_MARKER_BYTES + body_bits / 8;
    if (p->frames % groups != 0 || frame_bytes > EDGE_MAX_FRAME_BYTES ||
        base_bits > EDGE_MAX_BLOCK_BITS || upper_bits > EDGE_MAX_BLOCK_BITS)
        return false;
    format->profile = *p;
    format->groups = (uint8_t)groups;
    format->group_frames = (uint8_t)(p->frames / groups);
    format->base_bits = (uint16_t)base_bits;
    format->upper_bits = (uint16_t)upper_bits;
    format->body_bits = (uint16_t)body_bits;
    format->stride = (uint16_t)stride_of((uint32_t)body_bits);
    format->frame_bytes = (uint16_t)frame_bytes;
    return true;
}

/* A group as if it were a whole superframe of the base class. */
static edge_profile_t group_profile(const edge_raw_format_t *format)
{
    edge_profile_t profile = format->profile;
    profile.frames = format->group_frames;
    return profile;
}

static size_t group_bits(const edge_raw_format_t *format)
{
    return ((size_t)format->base_bits - EDGE_TAIL_BITS) / format->groups - GROUP_CRC_BITS;
}

/* ---- Header and checksums ------------------------------------------------------------ */

static void pack_header(const edge_raw_header_t *header, uint8_t packed[RAW_HEADER_BYTES])
{
    packed[0] = (uint8_t)(VERSION << 6 | (unsigned)header->type << 3);
    packed[1] = header->stream_tag;
    packed[2] = header->sequence;
}

uint64_t edge_raw_code_header(const edge_raw_header_t *header)
{
    uint8_t packed[RAW_HEADER_BYTES];
    pack_header(header, packed);
    uint16_t first = (uint16_t)(packed[0] << 4 | packed[1] >> 4);
    uint16_t second = (uint16_t)((packed[1] & 0x0F) << 8 | packed[2]);
    return (uint64_t)edge_golay_encode(first) << 24 | edge_golay_encode(second);
}

bool edge_raw_decode_header(uint64_t coded, edge_raw_header_t *header)
{
    uint16_t first, second;
    if (!edge_golay_decode((uint32_t)(coded >> 24), &first) ||
        !edge_golay_decode((uint32_t)(coded & 0xFFFFFF), &second))
        return false;
    unsigned type = first >> 7 & 7u;
    header->type = (edge_type_t)type;
    header->stream_tag = (uint8_t)(first << 4 | second >> 8);
    header->sequence = (uint8_t)second;
    return first >> 10 == VERSION && type <= EDGE_END && (first >> 4 & 7u) == 0;
}

/* Over the header, the number of the group and its bits, so it fits no other place. */
static uint8_t crc8_of(const edge_raw_header_t *header, uint8_t group, const uint8_t *bits,
                       size_t size)
{
    uint8_t place[RAW_HEADER_BYTES + 1];
    pack_header(header, place);
    place[RAW_HEADER_BYTES] = group;
    return (uint8_t)~edge_crc8(edge_crc8(0xFF, place, sizeof place), bits, size);
}

static uint16_t crc16_of(const edge_raw_header_t *header, const uint8_t *bits, size_t size)
{
    uint8_t packed[RAW_HEADER_BYTES];
    pack_header(header, packed);
    return edge_crc16(edge_crc16(0xFFFF, packed, sizeof packed), bits, size);
}

/* ---- Bits ---------------------------------------------------------------------------- */

void edge_raw_whiten(uint8_t *data, size_t size)
{
    unsigned nine = 0x1FF;  /* The next nine bits of PN9, the first one in front. */
    for (size_t i = 0; i < size * 8; i++) {
        data[i / 8] = (uint8_t)(data[i / 8] ^ (nine >> 8 & 1u) << (7 - i % 8));
        nine = (nine << 1 & 0x1FF) | ((nine >> 8 ^ nine >> 3) & 1u);
    }
}

static unsigned get_bit(const uint8_t *data, size_t at)
{
    return (unsigned)data[at / 8] >> (7 - at % 8) & 1u;
}

static void set_bit(uint8_t *data, size_t at)
{
    data[at / 8] = (uint8_t)(data[at / 8] | 0x80u >> at % 8);
}

/* Where the interleaver puts a bit of the body. */
static size_t place_of(const edge_raw_format_t *format, size_t bit)
{
    return (size_t)((uint32_t)bit * format->stride % format->body_bits);
}

/* Copy `count` bits from bit `first` on to the start of `out`, filled up with zeros. */
static void copy_bits(uint8_t *out, const uint8_t *data, size_t first, size_t count)
{
    memset(out, 0, (count + 7) / 8);
    for (size_t i = 0; i < count; i++)
        if (get_bit(data, first + i))
            set_bit(out, i);
}

/* ---- Packing ------------------------------------------------------------------------- */

/* Writes the bits of a body one after the other to their interleaved places. */
typedef struct {
    const edge_raw_format_t *format;
    uint8_t *body;
    size_t written;
    size_t coded;       /* Coded bits of the block, those not sent too. */
    unsigned register7;
    bool is_punctured;
} writer_t;

static writer_t begin_body(const edge_raw_format_t *format, const edge_raw_header_t *header,
                           uint8_t *frame)
{
    writer_t writer = {.format = format, .body = frame + EDGE_MARKER_BYTES};
    uint64_t coded = edge_raw_code_header(header);
    memset(frame, 0, format->frame_bytes);
    memcpy(frame, MARKER, sizeof MARKER);
    for (; writer.written < HEADER_BITS; writer.written++)
        if (coded >> (HEADER_BITS - 1 - writer.written) & 1u)
            set_bit(writer.body, place_of(format, writer.written));
    return writer;
}

static void end_body(const writer_t *writer)
{
    edge_raw_whiten(writer->body, writer->format->body_bits / 8u);
}

static void begin_block(writer_t *writer, bool is_punctured)
{
    writer->coded = 0;
    writer->register7 = 0;
    writer->is_punctured = is_punctured;
}

static void write_coded(writer_t *writer, unsigned bit)
{
    writer->register7 = writer->register7 >> 1 | bit << 6;
    unsigned pair = edge_convolve(writer->register7);
    for (unsigned shift = 2; shift-- > 0;) {
        if (!edge_is_sent(writer->coded++, writer->is_punctured) ||
            writer->written == writer->format->body_bits)
            continue;
        if (pair >> shift & 1u)
            set_bit(writer->body, place_of(writer->format, writer->written));
        writer->written++;
    }
}

static void write_bits(writer_t *writer, const uint8_t *data, size_t count)
{
    for (size_t i = 0; i < count; i++)
        write_coded(writer, get_bit(data, i));
}

static void write_tail(writer_t *writer)
{
    static const uint8_t ZERO = 0;
    write_bits(writer, &ZERO, EDGE_TAIL_BITS);
}

static void write_crc16(writer_t *writer, uint16_t crc)
{
    const uint8_t bytes[2] = {(uint8_t)(crc >> 8), (uint8_t)crc};
    write_bits(writer, bytes, CRC_BITS);
}

static void write_group(writer_t *writer, const edge_raw_header_t *header, uint8_t number,
                        const uint8_t *base)
{
    uint8_t group[EDGE_MAX_BASE_BYTES] = {0};
    const edge_raw_format_t *format = writer->format;
    edge_profile_t part = group_profile(format);
    for (uint8_t k = 0; k < part.base_layers; k++)
        for (uint8_t f = 0; f < part.frames; f++) {
            uint8_t frame = (uint8_t)(number * part.frames + f);
            edge_set_code(group, &part, k, f,
                          edge_get_code(base, &format->profile, k, frame));
        }
    uint8_t crc = crc8_of(header, number, group, (group_bits(format) + 7) / 8);
    write_bits(writer, group, group_bits(format));
    write_bits(writer, &crc, GROUP_CRC_BITS);
}

void edge_raw_pack_voice(const edge_raw_format_t *format, uint8_t stream_tag,
                         uint8_t sequence, const uint8_t *base, const uint8_t *enhancement,
                         uint8_t *frame)
{
    edge_raw_header_t header = {EDGE_VOICE, stream_tag, sequence};
    writer_t writer = begin_body(format, &header, frame);
    begin_block(&writer, false);
    for (uint8_t n = 0; n < format->groups; n++)
        write_group(&writer, &header, n, base);
    write_tail(&writer);
    if (format->upper_bits > 0) {
        size_t count = format->upper_bits - CRC_BITS - EDGE_TAIL_BITS;
        begin_block(&writer, true);
        write_bits(&writer, enhancement, count);
        write_crc16(&writer, crc16_of(&header, enhancement, (count + 7) / 8));
        write_tail(&writer);
    }
    end_body(&writer);
}

bool edge_raw_pack_hello(const edge_raw_format_t *format, edge_type_t type,
                         uint8_t stream_tag, uint8_t sequence, const edge_hello_t *hello,
                         uint8_t *frame)
{
    uint8_t packed[EDGE_HELLO_BYTES];
    edge_raw_header_t header = {type, stream_tag, sequence};
    if (!edge_pack_hello(hello, packed))
        return false;
    writer_t writer = begin_body(format, &header, frame);
    while (writer.written < format->body_bits) {
        begin_block(&writer, false);
        write_bits(&writer, packed, 8 * sizeof packed);
        write_crc16(&writer, crc16_of(&header, packed, sizeof packed));
        write_tail(&writer);
    }
    end_body(&writer);
    return true;
}

/* ---- Unpacking ----------------------------------------------------------------------- */

typedef struct block block_t;

/* Takes the content of one group of decoder->bits if its checksum is right. */
typedef bool (*take_fn)(const edge_raw_format_t *format, edge_raw_decoder_t *decoder,
                        const edge_raw_header_t *header, uint8_t number);

/* A coded block of a body. */
struct block {
    size_t first;  /* Its first bit. */
    size_t stop;   /* Behind its last bit, repetitions included. */
    size_t bits;   /* Before coding, tail included. */
    bool is_punctured;
    bool is_trusted;  /* Its checksum is all that counts. */
    uint8_t groups;
    take_fn take;
};

/* Positive for a 1; the scale is that of the soft bits, hard ones are +1 and -1. */
static int soft_bit(const edge_raw_format_t *format, const edge_raw_decoder_t *decoder,
                    size_t bit)
{
    size_t place = place_of(format, bit);
    if (decoder->soft != NULL)
        return decoder->soft[place];
    return get_bit(decoder->body, place) != 0 ? 1 : -1;
}

/* Soft value of the bit that was sent as number `sent`, all its repetitions added up. */
static int16_t soft_value(const edge_raw_format_t *format, const edge_raw_decoder_t *decoder,
                          const block_t *block, size_t sent)
{
    int soft = 0;
    size_t period = edge_coded_bits(block->bits, block->is_punctured);
    for (size_t bit = block->first + sent; bit < block->stop; bit += period)
        soft += soft_bit(format, decoder, bit);
    return (int16_t)soft;
}

/* Soft values of both coded bits of bit `n`, 0 for one that is not sent. */
static void soft_pair(const edge_raw_format_t *format, const edge_raw_decoder_t *decoder,
                      const block_t *block, size_t n, int16_t pair[2])
{
    for (size_t coded = 2 * n; coded < 2 * n + 2; coded++) {
        /* Two of three coded bits are sent when punctured. */
        size_t sent = block->is_punctured ? coded - coded / 3 : coded;
        pair[coded % 2] = edge_is_sent(coded, block->is_punctured)
                              ? soft_value(format, decoder, block, sent)
                              : 0;
    }
}

/* The likeliest bits of a block, into decoder->bits. */
static void decode_likeliest(const edge_raw_format_t *format, edge_raw_decoder_t *decoder,
                             const block_t *block)
{
    edge_viterbi_start(&decoder->viterbi);
    for (size_t n = 0; n < block->bits; n++) {
        int16_t pair[2];
        soft_pair(format, decoder, block, n, pair);
        edge_viterbi_step(&decoder->viterbi, pair[0], pair[1]);
    }
    edge_viterbi_finish(&decoder->viterbi, decoder->bits);
}

/* What a received bit counts for: soft ones as much as they are sure. */
static uint32_t weight_of(const edge_raw_decoder_t *decoder, int16_t soft)
{
    if (decoder->soft == NULL)
        return soft != 0;
    return (uint32_t)(soft < 0 ? -soft : soft);
}

/* Whether what was received contradicts these decoded bits no more than noise allows. */
static bool is_believable(const edge_raw_format_t *format, const edge_raw_decoder_t *decoder,
                          const block_t *block, size_t first, size_t stop, uint32_t share)
{
    unsigned register7 = 0;
    uint32_t wrong = 0, all = 0;
    for (size_t n = first > EDGE_TAIL_BITS ? first - EDGE_TAIL_BITS : 0; n < stop; n++) {
        int16_t pair[2];
        register7 = register7 >> 1 | get_bit(decoder->bits, n) << 6;
        if (n < first)
            continue;
        unsigned coded = edge_convolve(register7);
        soft_pair(format, decoder, block, n, pair);
        for (unsigned i = 0; i < 2; i++) {
            bool is_one = (coded >> (1 - i) & 1u) != 0;
            uint32_t weight = weight_of(decoder, pair[i]);
            all += weight;
            wrong += (pair[i] > 0) != is_one ? weight : 0;
        }
    }
    return wrong * share <= all;
}

/* Take groups that were not found yet; returns which are found now, bit n for group n. */
static unsigned take_groups(const edge_raw_format_t *format, edge_raw_decoder_t *decoder,
                            const edge_raw_header_t *header, const block_t *block,
                            unsigned found)
{
    size_t size = (block->bits - EDGE_TAIL_BITS) / block->groups;
    for (uint8_t n = 0; n < block->groups; n++)
        if (!(found >> n & 1u) && block->take(format, decoder, header, n) &&
            (block->groups == 1 || is_believable(format, decoder, block, n * size,
                                                 (n + 1u) * size, GROUP_SHARE)))
            found |= 1u << n;
    return found;
}

/* Decode once more for a list, given that the groups found are right. */
static void start_list(const edge_raw_format_t *format, const edge_raw_decoder_t *decoder,
                       const block_t *block, unsigned found)
{
    size_t content_bits = block->bits - EDGE_TAIL_BITS;
    size_t size = content_bits / block->groups;
    edge_list_start(decoder->list);
    for (size_t n = 0; n < block->bits; n++) {
        edge_known_t known = EDGE_BIT_ZERO;
        int16_t pair[2];
        if (n < content_bits && !(found >> n / size & 1u))
            known = EDGE_BIT_UNKNOWN;
        else if (n < content_bits && get_bit(decoder->bits, n) != 0)
            known = EDGE_BIT_ONE;
        soft_pair(format, decoder, block, n, pair);
        edge_list_step(decoder->list, pair[0], pair[1], known);
    }
}

static unsigned try_list(const edge_raw_format_t *format, edge_raw_decoder_t *decoder,
                         const edge_raw_header_t *header, const block_t *block, unsigned found)
{
    unsigned all = (1u << block->groups) - 1;
    start_list(format, decoder, block, found);
    const uint8_t *bits = edge_list_next(decoder->list);  /* The one that was tried. */
    for (uint8_t path = 1; path < decoder->paths && found != all; path++) {
        bits = edge_list_next(decoder->list);
        if (bits == NULL)
            break;
        memcpy(decoder->bits, bits, (block->bits + 7) / 8);
        found = take_groups(format, decoder, header, block, found);
    }
    return found;
}

/* Take what survived of a block; returns which groups did, bit n for group n. */
static unsigned decode_block(const edge_raw_format_t *format, edge_raw_decoder_t *decoder,
                             const edge_raw_header_t *header, const block_t *block)
{
    decode_likeliest(format, decoder, block);
    if (!block->is_trusted && !is_believable(format, decoder, block, 0, block->bits, BLOCK_SHARE))
        return 0;
    unsigned found = take_groups(format, decoder, header, block, 0);
    bool is_all = found == (1u << block->groups) - 1;
    if (!is_all && decoder->list != NULL && decoder->paths > 1)
        found = try_list(format, decoder, header, block, found);
    return found;
}

void edge_raw_use_list(edge_raw_decoder_t *decoder, edge_list_t *list, uint8_t paths)
{
    decoder->list = list;
    decoder->paths = paths;
}

static uint64_t open_header(const edge_raw_format_t *format, const edge_raw_decoder_t *decoder)
{
    uint64_t header = 0;
    for (size_t bit = 0; bit < HEADER_BITS; bit++)
        header = header << 1 | (soft_bit(format, decoder, bit) > 0);
    return header;
}

uint64_t edge_raw_open(const edge_raw_format_t *format, edge_raw_decoder_t *decoder,
                       const uint8_t *body)
{
    memcpy(decoder->body, body, format->body_bits / 8u);
    edge_raw_whiten(decoder->body, format->body_bits / 8u);
    decoder->soft = NULL;
    return open_header(format, decoder);
}

uint64_t edge_raw_open_soft(const edge_raw_format_t *format, edge_raw_decoder_t *decoder,
                            int8_t *soft)
{
    memset(decoder->body, 0, format->body_bits / 8u);
    edge_raw_whiten(decoder->body, format->body_bits / 8u);
    for (size_t place = 0; place < format->body_bits; place++)
        if (get_bit(decoder->body, place) != 0)
            soft[place] = (int8_t)(soft[place] == INT8_MIN ? INT8_MAX : -soft[place]);
    decoder->soft = soft;
    return open_header(format, decoder);
}

static bool take_group(const edge_raw_format_t *format, edge_raw_decoder_t *decoder,
                       const edge_raw_header_t *header, uint8_t number)
{
    uint8_t group[EDGE_MAX_BASE_BYTES], crc;
    size_t bits = group_bits(format), first = number * (bits + GROUP_CRC_BITS);
    copy_bits(group, decoder->bits, first, bits);
    copy_bits(&crc, decoder->bits, first + bits, GROUP_CRC_BITS);
    if (crc8_of(header, number, group, (bits + 7) / 8) != crc)
        return false;
    edge_profile_t part = group_profile(format);
    for (uint8_t k = 0; k < part.base_layers; k++)
        for (uint8_t f = 0; f < part.frames; f++) {
            uint8_t frame = (uint8_t)(number * part.frames + f);
            edge_set_code(decoder->base, &format->profile, k, frame,
                          edge_get_code(group, &part, k, f));
        }
    return true;
}

static uint64_t frames_mask(const edge_raw_format_t *format, uint8_t group)
{
    uint64_t frames = UINT64_MAX >> (64 - format->group_frames);
    return frames << (group * format->group_frames);
}

/* Whether the block ends with the right CRC-16; copies the bits before it. */
static bool take_with_crc16(edge_raw_decoder_t *decoder, const edge_raw_header_t *header,
                            size_t block_bits)
{
    uint8_t crc[2];
    size_t count = block_bits - CRC_BITS - EDGE_TAIL_BITS;
    copy_bits(decoder->enhancement, decoder->bits, 0, count);
    copy_bits(crc, decoder->bits, count, CRC_BITS);
    return crc16_of(header, decoder->enhancement, (count + 7) / 8) ==
           (uint16_t)((unsigned)crc[0] << 8 | crc[1]);
}

static bool take_upper(const edge_raw_format_t *format, edge_raw_decoder_t *decoder,
                       const edge_raw_header_t *header, uint8_t number)
{
    (void)number;
    return take_with_crc16(decoder, header, format->upper_bits);
}

static bool take_hello(const edge_raw_format_t *format, edge_raw_decoder_t *decoder,
                       const edge_raw_header_t *header, uint8_t number)
{
    (void)format;
    (void)number;
    return take_with_crc16(decoder, header, HELLO_BITS);
}

static bool decode_upper(const edge_raw_format_t *format, edge_raw_decoder_t *decoder,
                         const edge_raw_header_t *header, size_t first)
{
    block_t block = {.first = first, .bits = format->upper_bits, .groups = 1};
    block.is_punctured = block.is_trusted = true;
    block.stop = first + edge_coded_bits(block.bits, true);
    block.take = take_upper;
    return block.bits > 0 && decode_block(format, decoder, header, &block) != 0;
}

bool edge_raw_decode_voice(const edge_raw_format_t *format, edge_raw_decoder_t *decoder,
                           const edge_raw_header_t *header, edge_frames_t *frames)
{
    block_t block = {.first = HEADER_BITS, .bits = format->base_bits, .take = take_group};
    block.groups = format->groups;
    block.stop = block.first + edge_coded_bits(block.bits, false);
    unsigned found = decode_block(format, decoder, header, &block);
    if (found == 0)
        return false;
    frames->lost_frames = 0;
    for (uint8_t n = 0; n < format->groups; n++)
        if (!(found >> n & 1u))
            frames->lost_frames |= frames_mask(format, n);
    frames->profile = &format->profile;
    frames->base = decoder->base;
    frames->enhancement = decoder->enhancement;
    frames->layers = decode_upper(format, decoder, header, block.stop)
                         ? format->profile.layers
                         : format->profile.base_layers;
    return true;
}

bool edge_raw_decode_hello(const edge_raw_format_t *format, edge_raw_decoder_t *decoder,
                           const edge_raw_header_t *header, edge_hello_t *hello)
{
    block_t block = {.first = HEADER_BITS, .stop = format->body_bits, .bits = HELLO_BITS};
    block.groups = 1;
    block.take = take_hello;
    return decode_block(format, decoder, header, &block) != 0 &&
           edge_unpack_hello(decoder->enhancement, hello);
}
