#include "edge_context.h"

#include <stddef.h>
#include <string.h>

#define UNIT 127
#define HIDDEN_SHIFT 7
#define RANK_SHIFT 6
#define LOGIT_SHIFT 5

/** floor(sum / 2^bits), also of negative sums. */
static int32_t shifted(int32_t sum, int bits)
{
    return sum >= 0 ? sum >> bits : -((-sum + (1 << bits) - 1) >> bits);
}

static int16_t bounded(int32_t value, int32_t least)
{
    return (int16_t)(value < least ? least : value > UNIT ? UNIT : value);
}

static int32_t row_product(const int16_t *row, const int16_t *inputs, size_t count)
{
    int32_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (int32_t)row[i] * inputs[i];
    return sum;
}

/** The entries of the codes around, zeros where nothing is known. */
static void look_around(const edge_context_net_t *net, const edge_context_unit_t *unit,
                        uint16_t frame, uint16_t layer, int16_t *inputs)
{
    const int64_t step = unit->steps[(size_t)frame * unit->layers + layer];
    const size_t entry_bytes = net->entry_dim * sizeof *inputs;
    for (size_t place = 0; place < net->places; place++, inputs += net->entry_dim) {
        const int32_t at = (int32_t)frame + net->place[2 * place];
        const size_t below = (size_t)net->place[2 * place + 1];
        const size_t index = (size_t)at * unit->layers + below;
        if (at < 0 || at >= unit->frames || unit->steps[index] >= step) {
            memset(inputs, 0, entry_bytes);
            continue;
        }
        const size_t entry = below * net->size + (size_t)unit->codes[index];
        memcpy(inputs, net->entries + entry * net->entry_dim, entry_bytes);
    }
}

/** Logits into `ends`; returns the highest. */
static int64_t find_logits(const edge_context_net_t *net, const int16_t *ranks, int64_t *ends)
{
    int64_t highest = INT64_MIN;
    for (size_t code = 0; code < net->size; code++) {
        const int32_t sum = row_product(net->logit + code * net->ranks, ranks, net->ranks);
        ends[code] = shifted(sum + net->logit_bias[code], LOGIT_SHIFT);
        highest = ends[code] > highest ? ends[code] : highest;
    }
    return highest;
}

void edge_context_odds(const edge_context_net_t *net, const edge_context_unit_t *unit,
                       uint16_t frame, uint16_t layer, int64_t *ends)
{
    int16_t inputs[EDGE_CONTEXT_WIDTH], hidden[EDGE_CONTEXT_WIDTH], ranks[EDGE_CONTEXT_WIDTH];
    const size_t width = (size_t)net->places * net->entry_dim;
    look_around(net, unit, frame, layer, inputs);
    for (size_t h = 0; h < net->hidden_units; h++) {
        const int32_t sum = row_product(net->hidden + h * width, inputs, width);
        hidden[h] = bounded(shifted(sum + net->hidden_bias[h], HIDDEN_SHIFT), 0);
    }
    for (size_t r = 0; r < net->ranks; r++) {
        const int16_t *row = net->rank + r * net->hidden_units;
        const int32_t sum = row_product(row, hidden, net->hidden_units);
        ranks[r] = bounded(shifted(sum + net->rank_bias[r], RANK_SHIFT), -UNIT);
    }
    const int64_t highest = find_logits(net, ranks, ends);
    int64_t end = 0;
    for (size_t code = 0; code < net->size; code++) {
        const int64_t gap = highest - ends[code];
        end += net->odds[gap < EDGE_CONTEXT_ODDS ? gap : EDGE_CONTEXT_ODDS - 1];
        ends[code] = end;
    }
}
