/*
 * A list of likely blocks, for when the likeliest one fails its checksum.
 *
 * Knows bits and soft values only. One forward pass; each further block leaves an earlier one
 * where that costs least. No more leaves are kept than blocks can be asked for.
 * Source: F. K. Soong and E.-F. Huang, "A tree-trellis based fast search for finding the N-best
 * sentence hypotheses", ICASSP 1991.
 */
#include "edge_fec.h"

#include <string.h>

/* What a wrong known bit costs: more than all that noise can. */
#define WRONG_COST ((int32_t)1 << 20)
/* A margin that no block crosses: from a state that cannot be, or against a known bit. */
#define CLOSED UINT16_MAX

typedef char check_paths_fit[EDGE_MAX_PATHS <= UINT8_MAX ? 1 : -1];

void edge_list_start(edge_list_t *list)
{
    edge_viterbi_start(&list->viterbi);
    list->leaf_count = 0;
    list->block_count = 0;
}

static uint16_t margin_of(int32_t zero, int32_t one)
{
    int32_t margin = one > zero ? one - zero : zero - one;
    return margin < CLOSED ? (uint16_t)margin : CLOSED;
}

void edge_list_step(edge_list_t *list, int16_t soft171, int16_t soft133, edge_known_t known)
{
    const int32_t sum = (int32_t)soft171 + soft133, difference = (int32_t)soft171 - soft133;
    const int32_t gains[4] = {-sum, -difference, difference, sum};
    int32_t *metrics = list->viterbi.metrics;
    if (list->viterbi.steps == EDGE_MAX_BLOCK_BITS)
        return;
    uint16_t *margins = list->margins[list->viterbi.steps];
    for (unsigned i = 0; i < EDGE_STATES / 2; i++) {
        int32_t gain = gains[edge_convolve(2 * i)];
        int32_t zero = metrics[2 * i], one = metrics[2 * i + 1];
        margins[i] = margin_of(zero + gain, one - gain);
        margins[i + EDGE_STATES / 2] = margin_of(zero - gain, one + gain);
    }
    edge_viterbi_step(&list->viterbi, soft171, soft133);
    if (known == EDGE_BIT_UNKNOWN)
        return;
    unsigned wrong = known == EDGE_BIT_ZERO ? EDGE_STATES / 2 : 0;
    for (unsigned state = wrong; state < wrong + EDGE_STATES / 2; state++)
        metrics[state] -= WRONG_COST;
}

/* Behind the leaves that cost as much; the dearest one goes when there are too many. */
static void keep_leaf(edge_list_t *list, const edge_leaf_t *leaf)
{
    uint8_t place = list->leaf_count;
    while (place > 0 && list->leaves[place - 1].cost > leaf->cost)
        place--;
    if (place == EDGE_MAX_PATHS)
        return;
    if (list->leaf_count < EDGE_MAX_PATHS)
        list->leaf_count++;
    size_t behind = (size_t)list->leaf_count - place - 1;
    memmove(&list->leaves[place + 1], &list->leaves[place], behind * sizeof *leaf);
    list->leaves[place] = *leaf;
}

/* The next leaf of all; the end of the likeliest block when none was taken yet. */
static bool take_leaf(edge_list_t *list, edge_leaf_t *leaf)
{
    if (list->block_count == 0) {
        leaf->cost = 0;
        leaf->step = list->viterbi.steps;
        leaf->state = 0;
        leaf->parent = 0;
        return true;
    }
    if (list->leaf_count == 0 || list->block_count == EDGE_MAX_PATHS)
        return false;
    *leaf = list->leaves[0];
    list->leaf_count--;
    memmove(list->leaves, list->leaves + 1, list->leaf_count * sizeof *leaf);
    return true;
}

static void trace_back(edge_list_t *list, const edge_leaf_t *leaf, uint8_t *bits)
{
    unsigned state = leaf->state;
    for (size_t step = leaf->step; step-- > 0;) {
        unsigned mask = 0x80u >> step % 8;
        bool is_one = state >> (EDGE_TAIL_BITS - 1) != 0;
        bits[step / 8] = (uint8_t)(is_one ? bits[step / 8] | mask : bits[step / 8] & ~mask);
        unsigned choice = (unsigned)(list->viterbi.choices[step] >> state & 1u);
        unsigned before = state << 1 & (EDGE_STATES - 1);
        uint16_t margin = list->margins[step][state];
        edge_leaf_t other = {
            .cost = leaf->cost + margin,
            .step = (uint16_t)step,
            .state = (uint8_t)(before | (choice ^ 1u)),
            .parent = list->block_count,
        };
        if (margin != CLOSED)
            keep_leaf(list, &other);
        state = before | choice;
    }
}

const uint8_t *edge_list_next(edge_list_t *list)
{
    edge_leaf_t leaf;
    if (!take_leaf(list, &leaf))
        return NULL;
    uint8_t *bits = list->blocks[list->block_count];
    if (list->block_count > 0)
        memcpy(bits, list->blocks[leaf.parent], sizeof list->blocks[0]);
    else
        memset(bits, 0, sizeof list->blocks[0]);
    trace_back(list, &leaf, bits);
    list->block_count++;
    return bits;
}
