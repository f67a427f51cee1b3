/*
 * A Semtech SX1276, 77, 78 or 79 as a packet radio (LoRa), by its registers.
 *
 * Knows the chip, not the board: bytes on SPI go through one callback, time is read by nobody.
 * No heap, no globals, no waiting. Source: SX1276/77/78/79 datasheet, revision 7.
 */
#ifndef SX127X_H
#define SX127X_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SX127X_MAX_BYTES 255

/** Move `size` bytes both ways, chip select low from the first to the last. */
typedef void (*sx127x_transfer_fn)(void *user, const uint8_t *out, uint8_t *in, size_t size);

/** How the radio sends; both ends must agree on all but the power. */
typedef struct {
    uint32_t frequency_hz;    /**< 137 to 1020 MHz, as far as law and board permit. */
    uint32_t bandwidth_hz;    /**< 62500, 125000, 250000 or 500000. */
    uint8_t spreading;        /**< 7 to 12: chips per symbol are 2 to this power. */
    uint8_t coding;           /**< 5 to 8: 4 bits are sent as this many. */
    uint8_t power_dbm;        /**< 2 to 17, at PA_BOOST. */
    uint8_t sync_word;        /**< 0x12 for private networks. */
    uint16_t preamble_symbols;
} sx127x_config_t;

/** A radio. Private but for `level_dbm` and `snr_db`. */
typedef struct {
    sx127x_transfer_fn transfer;
    void *user;
    sx127x_config_t config;
    bool is_sending;
    int16_t level_dbm;  /**< Of the last packet. */
    int8_t snr_db;      /**< Of the last packet. */
} sx127x_t;

/** What happened since the last poll. */
typedef enum { SX127X_NOTHING, SX127X_SENT, SX127X_RECEIVED, SX127X_DAMAGED } sx127x_event_t;

/** 868.1 MHz, 250 kHz, spreading 7, 4/5, 14 dBm: 10.9 kbit/s. */
sx127x_config_t sx127x_defaults(void);

/** Set the chip up and listen; false: no such chip answers, or a number is out of range. */
bool sx127x_init(sx127x_t *radio, const sx127x_config_t *config, sx127x_transfer_fn transfer,
                 void *user);

/** Send a packet, then listen again; false: the last one is still being sent, or a bad size. */
bool sx127x_send(sx127x_t *radio, const uint8_t *data, size_t size);

/**
 * Ask the chip what happened; call it at least once per packet time.
 *
 * @param data  Room for SX127X_MAX_BYTES; holds a packet after SX127X_RECEIVED.
 */
sx127x_event_t sx127x_poll(sx127x_t *radio, uint8_t *data, size_t *size);

/** Whether a packet of somebody is on the channel; the level goes to `level_dbm`. */
bool sx127x_is_busy(const sx127x_t *radio, int16_t *level_dbm);

/** Change frequency or power; false: out of range, nothing was changed. */
bool sx127x_set_frequency(sx127x_t *radio, uint32_t frequency_hz);
bool sx127x_set_power(sx127x_t *radio, int32_t power_dbm);

/** Time on the air of a packet. */
uint32_t sx127x_airtime_ms(const sx127x_config_t *config, size_t size);

/** Bits per second while a packet is sent, header and preamble left out. */
uint32_t sx127x_bitrate_bps(const sx127x_config_t *config);

#ifdef __cplusplus
}
#endif

#endif
