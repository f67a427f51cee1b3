/*
 * Error correction: knows bits and soft values only.
 *
 * Sources: M. J. E. Golay, "Notes on digital coding", Proc. IRE 37 (1949); CCSDS 131.0-B (the
 * convolutional code); ETSI EN 300 421 (its puncturing to 3/4).
 */
#include "edge_fec.h"

#include <string.h>

#define GOLAY_GENERATOR ((uint32_t)0xC75)
#define GOLAY_ERRORS 3
#define IMPOSSIBLE (-((int32_t)1 << 30))

typedef char check_steps_fit[EDGE_MAX_BLOCK_BITS <= UINT16_MAX ? 1 : -1];
/* A path gains or loses 2^29 at most, so one from an impossible state is never preferred. */
typedef char check_metrics_fit[EDGE_MAX_BLOCK_BITS <= (1L << 29) / (2 * 32768L) ? 1 : -1];

/* The coded bits of 171 and 133 for the five inner bits of a register. */
static const uint8_t BRANCHES[EDGE_STATES / 2] = {
    0, 1, 0, 1, 3, 2, 3, 2, 3, 2, 3, 2, 0, 1, 0, 1,
    2, 3, 2, 3, 1, 0, 1, 0, 1, 0, 1, 0, 2, 3, 2, 3,
};

static unsigned ones_in(uint32_t value)
{
    unsigned ones = 0;
    for (; value != 0; value &= value - 1)
        ones++;
    return ones;
}

uint8_t edge_crc8(uint8_t crc, const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        crc ^= data[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (uint8_t)(crc << 1 ^ (crc & 0x80 ? 0x2F : 0));
    }
    return crc;
}

uint32_t edge_golay_encode(uint16_t data)
{
    uint32_t word = (uint32_t)(data & 0xFFFu) << 11, remainder = word;
    for (unsigned shift = 12; shift-- > 0;)
        if (remainder >> (shift + 11) & 1u)
            remainder ^= GOLAY_GENERATOR << shift;
    word = (word | remainder) << 1;
    return word | (ones_in(word) & 1u);
}

/* Find at most `left` wrong bits, those in the data at `first` or above, and mend the data. */
static bool mend(uint16_t *data, uint32_t syndrome, unsigned first, unsigned left)
{
    if (ones_in(syndrome) <= left)
        return true;
    for (unsigned i = first; i < 12 && left > 0; i++) {
        uint16_t bit = (uint16_t)(1u << i);
        if (mend(data, syndrome ^ (edge_golay_encode(bit) & 0xFFFu), i + 1, left - 1)) {
            *data ^= bit;
            return true;
        }
    }
    return false;
}

bool edge_golay_decode(uint32_t word, uint16_t *data)
{
    *data = (uint16_t)(word >> 12 & 0xFFFu);
    return mend(data, (edge_golay_encode(*data) ^ word) & 0xFFFu, 0, GOLAY_ERRORS);
}

unsigned edge_convolve(unsigned register7)
{
    /* Both generators take the oldest and the newest bit: each turns both bits around. */
    unsigned turn = (register7 ^ register7 >> 6) & 1u;
    return BRANCHES[register7 >> 1 & 31u] ^ (turn != 0 ? 3u : 0u);
}

bool edge_is_sent(size_t coded_bit, bool is_punctured)
{
    return !is_punctured || coded_bit % 3 != 2;
}

size_t edge_coded_bits(size_t bits, bool is_punctured)
{
    return is_punctured ? 2 * bits - 2 * bits / 3 : 2 * bits;
}

void edge_viterbi_start(edge_viterbi_t *viterbi)
{
    for (unsigned state = 1; state < EDGE_STATES; state++)
        viterbi->metrics[state] = IMPOSSIBLE;
    viterbi->metrics[0] = 0;
    viterbi->steps = 0;
}

void edge_viterbi_step(edge_viterbi_t *viterbi, int16_t soft171, int16_t soft133)
{
    const int32_t sum = (int32_t)soft171 + soft133, difference = (int32_t)soft171 - soft133;
    const int32_t gains[4] = {-sum, -difference, difference, sum};
    const int32_t *before = viterbi->metrics;
    int32_t after[EDGE_STATES];
    uint64_t choices = 0;
    if (viterbi->steps == EDGE_MAX_BLOCK_BITS)
        return;
    for (unsigned i = 0; i < EDGE_STATES / 2; i++) {
        int32_t gain = gains[BRANCHES[i]];
        unsigned upper = i + EDGE_STATES / 2;
        int32_t zero = before[2 * i] + gain, one = before[2 * i + 1] - gain;
        after[i] = one > zero ? one : zero;
        choices |= (uint64_t)(one > zero) << i;
        zero = before[2 * i] - gain;
        one = before[2 * i + 1] + gain;
        after[upper] = one > zero ? one : zero;
        choices |= (uint64_t)(one > zero) << upper;
    }
    memcpy(viterbi->metrics, after, sizeof after);
    viterbi->choices[viterbi->steps++] = choices;
}

void edge_viterbi_finish(const edge_viterbi_t *viterbi, uint8_t *bits)
{
    unsigned state = 0;
    memset(bits, 0, (viterbi->steps + 7u) / 8u);
    for (size_t step = viterbi->steps; step-- > 0;) {
        unsigned bit = state >> (EDGE_TAIL_BITS - 1);
        bits[step / 8] = (uint8_t)(bits[step / 8] | bit << (7 - step % 8));
        unsigned choice = (unsigned)(viterbi->choices[step] >> state & 1u);
        state = (state << 1 & (EDGE_STATES - 1)) | choice;
    }
}
