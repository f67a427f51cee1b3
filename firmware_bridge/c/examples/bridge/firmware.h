/*
 * The firmware of a modem: the bridge on an SX127x, for any board with SPI and a serial line.
 *
 * examples/bridge/bridge.ino runs it on Arduino boards, host/bridge_host.c on a computer.
 */
#ifndef FIRMWARE_H
#define FIRMWARE_H

#include "bridge.h"
#include "sx127x.h"

#ifdef __cplusplus
extern "C" {
#endif

/** The board: SPI to the radio, and writing to the host. */
typedef struct {
    sx127x_transfer_fn transfer;
    edge_write_fn to_host;
    void *user;
} firmware_board_t;

/** All the memory of the firmware. */
typedef struct {
    firmware_board_t board;
    sx127x_t radio;
    bridge_t bridge;
} firmware_t;

/** Set up radio and bridge; false: the radio does not answer. */
bool firmware_init(firmware_t *firmware, const sx127x_config_t *config,
                   const firmware_board_t *board, uint32_t now_ms);

/** Take bytes of the host. */
void firmware_receive(firmware_t *firmware, const uint8_t *data, size_t size, uint32_t now_ms);

/** Serve the radio; call it every few milliseconds. */
void firmware_poll(firmware_t *firmware, uint32_t now_ms);

#ifdef __cplusplus
}
#endif

#endif
