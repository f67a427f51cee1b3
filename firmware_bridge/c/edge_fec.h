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

/* ---- Lists, for hosts and large microcontrollers ------------------------------------- */

/** Most blocks that a list decoder gives. */
#define EDGE_MAX_PATHS 32

/** Where a further block leaves an earlier one. Private. */
typedef struct {
    uint32_t cost;
    uint16_t step;   /* Before this step, */
    uint8_t state;   /* coming from this state; */
    uint8_t parent;  /* behind it they are the same. */
} edge_leaf_t;

/** A decoder that gives not only the likeliest block; 137 bytes per bit of a block. Private. */
typedef struct {
    edge_viterbi_t viterbi;
    uint16_t margins[EDGE_MAX_BLOCK_BITS][EDGE_STATES];
    edge_leaf_t leaves[EDGE_MAX_PATHS];  /* Least cost first, then oldest. */
    uint8_t blocks[EDGE_MAX_PATHS][(EDGE_MAX_BLOCK_BITS + 7) / 8];
    uint8_t leaf_count;
    uint8_t block_count;
} edge_list_t;

/** What is known of a bit before it is decoded. */
typedef enum { EDGE_BIT_ZERO, EDGE_BIT_ONE, EDGE_BIT_UNKNOWN } edge_known_t;

/** Begin a block. */
void edge_list_start(edge_list_t *list);

/** See edge_viterbi_step(); blocks in which a known bit is wrong are left out. */
void edge_list_step(edge_list_t *list, int16_t soft171, int16_t soft133, edge_known_t known);

/**
 * The likeliest block that ends in state zero, then the next likely, and so on.
 *
 * @return As edge_viterbi_finish() writes it, valid until the next start; NULL: no more.
 */
const uint8_t *edge_list_next(edge_list_t *list);

#ifdef __cplusplus
}
#endif

#endif
