/*
 * What every test program needs: a check that counts, golden vectors, made-up codes.
 */
#ifndef CHECK_H
#define CHECK_H

#include "edge_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])
#define CHECK(claim)                                                        \
    do {                                                                    \
        if (!(claim)) {                                                     \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #claim);     \
            exit(1);                                                        \
        }                                                                   \
    } while (0)

/* Bytes of a hex string. */
static inline size_t from_hex(const char *hex, uint8_t *data)
{
    size_t size = strlen(hex) / 2;
    for (size_t i = 0; i < size; i++) {
        char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        data[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return size;
}

/* The codes of every golden vector. */
static inline uint16_t made_up_code(const edge_profile_t *p, unsigned frame, unsigned layer)
{
    return (uint16_t)((37 * frame + 101 * layer + 5) % (1u << p->bits_per_code));
}

/* Base and enhancement class of one superframe of made-up codes. */
static inline void make_superframe(const edge_profile_t *p, unsigned number, uint8_t *base,
                                   uint8_t *enhancement)
{
    memset(base, 0, EDGE_MAX_BASE_BYTES);
    memset(enhancement, 0, EDGE_MAX_CONTENT_BYTES);
    for (uint8_t k = 0; k < p->layers; k++)
        for (uint8_t f = 0; f < p->frames; f++) {
            uint16_t code = made_up_code(p, number * p->frames + f, k);
            if (k < p->base_layers)
                edge_set_code(base, p, k, f, code);
            else
                edge_set_code(enhancement, p, (uint8_t)(k - p->base_layers), f, code);
        }
}

/* Whether the frames that arrived carry made-up codes. */
static inline bool has_made_up_codes(const edge_frames_t *s)
{
    const edge_profile_t *p = s->profile;
    for (uint8_t f = 0; f < p->frames; f++)
        for (uint8_t k = 0; k < s->layers && !(s->lost_frames >> f & 1); k++) {
            uint16_t code = k < p->base_layers
                                ? edge_get_code(s->base, p, k, f)
                                : edge_get_code(s->enhancement, p,
                                                (uint8_t)(k - p->base_layers), f);
            if (code != made_up_code(p, s->sequence * p->frames + f, k))
                return false;
        }
    return true;
}

/* The HELLO of every golden vector. */
static inline edge_hello_t golden_hello(const edge_profile_t *profile)
{
    edge_hello_t hello = {
        .destination = "@ALL",
        .source = "AB1CD",
        .model_hash = {0x1A, 0x2B, 0x3C, 0x4D},
        .profile = *profile,
        .nonce = {0, 1, 2, 3, 4, 5, 6, 7},
        .epoch = 3,
    };
    return hello;
}

#define GOLDEN_TAG 0x5C

#endif
