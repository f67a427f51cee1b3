/*
 * Error correction of raw frames: CRC-8, Golay (24,12), the K=7 convolutional code.
 *
 * Section 9 of docs/protocol.md. Soft values are positive for a likely 1, negative for a
 * likely 0, 0 for not sent; their scale is free, hard bits are +1 and -1.
 */
#ifndef EDGE_FEC_H
#define EDGE_FEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Longest block of the convolutional code, tail included, in bits; each takes 8 bytes. */
#ifndef EDGE_MAX_BLOCK_BITS
#define EDGE_MAX_BLOCK_BITS 832
#endif
/** Zero bits behind every block. */
#define EDGE_TAIL_BITS 6u
#define EDGE_STATES 64

/** CRC-8/AUTOSAR of `size` bytes behind `crc`: 0xFF at the start, invert the end. */
uint8_t edge_crc8(uint8_t crc, const uint8_t *data, size_t size);

/** The 24 bits of 12: data, 11 check bits, parity. */
uint32_t edge_golay_encode(uint16_t data);

/** The 12 bits of the only codeword at most three bits away; false: there is none. */
bool edge_golay_decode(uint32_t word, uint16_t *data);

/** The two coded bits of a register, newest bit in front: that of 171 is bit 1. */
unsigned edge_convolve(unsigned register7);

/** Coded bits of a block of `bits` bits: all, or three quarters of rate 1/2 when punctured. */
size_t edge_coded_bits(size_t bits, bool is_punctured);

/** Whether the coded bit with this number is sent. */
bool edge_is_sent(size_t coded_bit, bool is_punctured);

/** A Viterbi decoder at work on one block. Private. */
typedef struct {
    int32_t metrics[EDGE_STATES];
    uint64_t choices[EDGE_MAX_BLOCK_BITS];
    uint16_t steps;
} edge_viterbi_t;

/** Begin a block. */
void edge_viterbi_start(edge_viterbi_t *viterbi);

/**
 * Take the two soft values of one bit, those of 171 and 133.
 *
 * At most EDGE_MAX_BLOCK_BITS times per block; more are ignored.
 */
void edge_viterbi_step(edge_viterbi_t *viterbi, int16_t soft171, int16_t soft133);

/**
 * The likeliest block that ends in state zero.
 *
 * @param bits  Room for (steps + 7) / 8 bytes; most significant bit first, tail included.
 */
void edge_viterbi_finish(const edge_viterbi_t *viterbi, uint8_t *bits);

#ifdef __cplusplus
}
#endif

#endif
