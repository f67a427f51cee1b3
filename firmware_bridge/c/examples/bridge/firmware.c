/*
 * Joins bridge and radio: each callback of the one is a call of the other.
 */
#include "firmware.h"

static void to_host(void *user, const uint8_t *data, size_t size)
{
    firmware_t *firmware = user;
    firmware->board.to_host(firmware->board.user, data, size);
}

static bool to_radio(void *user, const uint8_t *data, size_t size)
{
    firmware_t *firmware = user;
    return sx127x_send(&firmware->radio, data, size);
}

static bool is_busy(void *user, int16_t *level_dbm)
{
    firmware_t *firmware = user;
    return sx127x_is_busy(&firmware->radio, level_dbm);
}

static uint32_t airtime_ms(void *user, size_t size)
{
    firmware_t *firmware = user;
    return sx127x_airtime_ms(&firmware->radio.config, size);
}

/* Both ends must agree on the air rate, so it is set in the firmware; the radio needs no delays. */
static int32_t set(void *user, bridge_parameter_t parameter, int32_t value)
{
    firmware_t *firmware = user;
    switch (parameter) {
    case BRIDGE_FREQUENCY_HZ:
        if (value > 0)
            sx127x_set_frequency(&firmware->radio, (uint32_t)value);
        return (int32_t)firmware->radio.config.frequency_hz;
    case BRIDGE_POWER_DBM:
        sx127x_set_power(&firmware->radio, value);
        return firmware->radio.config.power_dbm;
    case BRIDGE_AIR_RATE_BPS: return (int32_t)sx127x_bitrate_bps(&firmware->radio.config);
    case BRIDGE_TX_DELAY_MS:
    case BRIDGE_TAIL_MS: break;
    }
    return 0;
}

static void reset(void *user)
{
    firmware_t *firmware = user;
    sx127x_config_t config = firmware->radio.config;
    sx127x_init(&firmware->radio, &config, firmware->board.transfer, firmware->board.user);
}

bool firmware_init(firmware_t *firmware, const sx127x_config_t *config,
                   const firmware_board_t *board, uint32_t now_ms)
{
    bridge_board_t bridge = {firmware, to_host, to_radio, is_busy, airtime_ms, set, reset};
    firmware->board = *board;
    bridge_init(&firmware->bridge, &bridge, now_ms);
    return sx127x_init(&firmware->radio, config, board->transfer, board->user);
}

void firmware_receive(firmware_t *firmware, const uint8_t *data, size_t size, uint32_t now_ms)
{
    bridge_from_host(&firmware->bridge, data, size, now_ms);
}

void firmware_poll(firmware_t *firmware, uint32_t now_ms)
{
    uint8_t packet[SX127X_MAX_BYTES];
    size_t size = 0;
    switch (sx127x_poll(&firmware->radio, packet, &size)) {
    case SX127X_SENT: bridge_sent(&firmware->bridge, now_ms); break;
    case SX127X_RECEIVED:
        bridge_from_radio(&firmware->bridge, packet, size, firmware->radio.snr_db);
        break;
    case SX127X_DAMAGED: bridge_lost_one(&firmware->bridge); break;
    case SX127X_NOTHING: break;
    }
    bridge_tick(&firmware->bridge, now_ms);
}
