/*
 * An SX127x made of software: what the driver sees on SPI, and packets instead of waves.
 *
 * Knows the registers that LoRa packets need. Time and packets come and go through its owner.
 */
#ifndef SX127X_SIM_H
#define SX127X_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_FIFO_BYTES 256

/** Take a packet off the antenna; `airtime_ms` after it was begun. */
typedef void (*sim_on_air_fn)(void *user, const uint8_t *data, size_t size);
/** How long a packet takes with what the registers hold now. */
typedef uint32_t (*sim_airtime_fn)(void *user, size_t size);

typedef struct {
    uint8_t registers[128];
    uint8_t fifo[SIM_FIFO_BYTES];
    bool is_sending;
    uint32_t sent_at_ms;
    uint32_t unheard; /**< Packets that came while the chip did not listen. */
    sim_on_air_fn on_air;
    sim_airtime_fn airtime_ms;
    void *user;
    uint32_t now_ms;
} sx127x_sim_t;

/** A chip after power on. */
void sx127x_sim_init(sx127x_sim_t *sim, sim_on_air_fn on_air, sim_airtime_fn airtime_ms,
                     void *user);

/** The chip's side of SPI; a sx127x_transfer_fn with the chip as its user. */
void sx127x_sim_transfer(void *user, const uint8_t *out, uint8_t *in, size_t size);

/** Time goes on: a packet may have been sent. */
void sx127x_sim_tick(sx127x_sim_t *sim, uint32_t now_ms);

/** A packet comes by air. */
void sx127x_sim_receive(sx127x_sim_t *sim, const uint8_t *data, size_t size, bool is_damaged);

#endif
