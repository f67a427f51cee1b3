/*
 * The odds of codes by a context model: docs/context-coding.md, "Odds".
 *
 * For hosts, where Python takes it in the place of numpy. Whole numbers only, no memory of its
 * own. Tables are rows of one output each, so that a product is a sum of neighbours.
 */
#ifndef EDGE_CONTEXT_H
#define EDGE_CONTEXT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Most inputs of a product: more could not be summed exactly in float32. */
#define EDGE_CONTEXT_WIDTH 520
/** Steps below the likeliest code that have odds of their own. */
#define EDGE_CONTEXT_ODDS 320

/** The net of one layer. */
typedef struct {
    /** [layers][size][entry_dim] */
    const int16_t *entries;
    /** [places][2]: code frames later, layer. */
    const int16_t *place;
    /** [hidden_units][places * entry_dim] */
    const int16_t *hidden;
    const int32_t *hidden_bias;
    /** [ranks][hidden_units] */
    const int16_t *rank;
    const int32_t *rank_bias;
    /** [size][ranks] */
    const int16_t *logit;
    const int32_t *logit_bias;
    /** [EDGE_CONTEXT_ODDS], falling. */
    const int32_t *odds;
    uint16_t size, entry_dim, places, hidden_units, ranks;
} edge_context_net_t;

/** Codes of one unit, and in which step each becomes known: [frames][layers] both. */
typedef struct {
    const int64_t *codes;
    const int64_t *steps;
    uint16_t frames, layers;
} edge_context_unit_t;

/**
 * Odds of each value of the code of `frame` in `layer`, with those of all values before it.
 *
 * Codes of smaller steps must be below the size; `ends` has room for [size].
 */
void edge_context_odds(const edge_context_net_t *net, const edge_context_unit_t *unit,
                       uint16_t frame, uint16_t layer, int64_t *ends);

#ifdef __cplusplus
}
#endif

#endif
