/*
 * The registers of an SX127x in LoRa mode. Section numbers are those of the datasheet.
 */
#include "sx127x.h"

#include <string.h>

enum {
    REG_FIFO = 0x00,
    REG_OP_MODE = 0x01,
    REG_FREQUENCY = 0x06,
    REG_PA_CONFIG = 0x09,
    REG_OCP = 0x0B,
    REG_LNA = 0x0C,
    REG_FIFO_POINTER = 0x0D,
    REG_FIFO_TX_BASE = 0x0E,
    REG_FIFO_RX_BASE = 0x0F,
    REG_FIFO_RX_CURRENT = 0x10,
    REG_IRQ_FLAGS = 0x12,
    REG_RX_BYTES = 0x13,
    REG_MODEM_STATUS = 0x18,
    REG_PACKET_SNR = 0x19,
    REG_PACKET_RSSI = 0x1A,
    REG_RSSI = 0x1B,
    REG_MODEM_CONFIG_1 = 0x1D,
    REG_MODEM_CONFIG_2 = 0x1E,
    REG_PREAMBLE = 0x20,
    REG_PAYLOAD_BYTES = 0x22,
    REG_MODEM_CONFIG_3 = 0x26,
    REG_SYNC_WORD = 0x39,
    REG_VERSION = 0x42
};

enum {
    MODE_SLEEP = 0x80, /* LoRa in all of them: only in sleep may that bit change. */
    MODE_STANDBY = 0x81,
    MODE_TX = 0x83,
    MODE_RX = 0x85
};

enum {
    IRQ_TX_DONE = 0x08,
    IRQ_CRC_ERROR = 0x20,
    IRQ_RX_DONE = 0x40
};

#define WRITE 0x80u
#define CHIP_VERSION 0x12u
#define CRYSTAL_HZ 32000000u
#define LOWEST_HZ 137000000u
#define HIGHEST_HZ 1020000000u
#define SPLIT_HZ 779000000u /* Section 5.5.5: other ports of the chip below and above. */
#define PA_BOOST 0x80u
#define OCP_120_MA 0x2Fu
#define LNA_BEST 0x23u
#define CRC_ON 0x04u
#define AUTOMATIC_GAIN 0x04u
#define LOW_RATE 0x08u
#define LONG_SYMBOL_US 16000u
#define BUSY_STATUS 0x0Bu /* Signal detected, synchronized, header valid. */

static const uint32_t BANDWIDTHS_HZ[] = {62500, 125000, 250000, 500000};
#define BANDWIDTH_CODE_OF_FIRST 6u

static uint8_t read_register(const sx127x_t *radio, uint8_t address)
{
    uint8_t out[2] = {address, 0}, in[2] = {0, 0};
    radio->transfer(radio->user, out, in, sizeof out);
    return in[1];
}

static void write_register(const sx127x_t *radio, uint8_t address, uint8_t value)
{
    uint8_t out[2] = {(uint8_t)(address | WRITE), value}, in[2];
    radio->transfer(radio->user, out, in, sizeof out);
}

static uint32_t symbol_us(const sx127x_config_t *config)
{
    return (uint32_t)(((uint64_t)1000000 << config->spreading) / config->bandwidth_hz);
}

static bool is_low_rate(const sx127x_config_t *config)
{
    return symbol_us(config) > LONG_SYMBOL_US;
}

/* The chip's number of a bandwidth; 0: it has none. */
static uint8_t bandwidth_code(uint32_t bandwidth_hz)
{
    for (uint8_t i = 0; i < sizeof BANDWIDTHS_HZ / sizeof BANDWIDTHS_HZ[0]; i++)
        if (BANDWIDTHS_HZ[i] == bandwidth_hz)
            return (uint8_t)(BANDWIDTH_CODE_OF_FIRST + i);
    return 0;
}

sx127x_config_t sx127x_defaults(void)
{
    sx127x_config_t config = {
        .frequency_hz = 868100000,
        .bandwidth_hz = 250000,
        .spreading = 7,
        .coding = 5,
        .power_dbm = 14,
        .sync_word = 0x12,
        .preamble_symbols = 8,
    };
    return config;
}

static void write_modem(const sx127x_t *radio)
{
    const sx127x_config_t *c = &radio->config;
    unsigned first = (unsigned)bandwidth_code(c->bandwidth_hz) << 4 | (c->coding - 4u) << 1;
    write_register(radio, REG_MODEM_CONFIG_1, (uint8_t)first);
    write_register(radio, REG_MODEM_CONFIG_2, (uint8_t)((unsigned)c->spreading << 4 | CRC_ON));
    write_register(radio, REG_MODEM_CONFIG_3,
                   (uint8_t)(AUTOMATIC_GAIN | (is_low_rate(c) ? LOW_RATE : 0u)));
    write_register(radio, REG_PREAMBLE, (uint8_t)(c->preamble_symbols >> 8));
    write_register(radio, REG_PREAMBLE + 1, (uint8_t)c->preamble_symbols);
    write_register(radio, REG_SYNC_WORD, c->sync_word);
}

static void listen(sx127x_t *radio)
{
    radio->is_sending = false;
    write_register(radio, REG_FIFO_POINTER, 0);
    write_register(radio, REG_OP_MODE, MODE_RX);
}

bool sx127x_init(sx127x_t *radio, const sx127x_config_t *config, sx127x_transfer_fn transfer,
                 void *user)
{
    memset(radio, 0, sizeof *radio);
    radio->transfer = transfer;
    radio->user = user;
    radio->config = *config;
    if (read_register(radio, REG_VERSION) != CHIP_VERSION ||
        bandwidth_code(config->bandwidth_hz) == 0 || config->spreading < 7 ||
        config->spreading > 12 || config->coding < 5 || config->coding > 8)
        return false;
    write_register(radio, REG_OP_MODE, MODE_SLEEP);
    write_register(radio, REG_FIFO_TX_BASE, 0);
    write_register(radio, REG_FIFO_RX_BASE, 0);
    write_register(radio, REG_LNA, LNA_BEST);
    write_register(radio, REG_OCP, OCP_120_MA);
    write_modem(radio);
    if (!sx127x_set_frequency(radio, config->frequency_hz) ||
        !sx127x_set_power(radio, config->power_dbm))
        return false;
    write_register(radio, REG_OP_MODE, MODE_STANDBY);
    write_register(radio, REG_IRQ_FLAGS, 0xFF);
    listen(radio);
    return true;
}

bool sx127x_set_frequency(sx127x_t *radio, uint32_t frequency_hz)
{
    if (frequency_hz < LOWEST_HZ || frequency_hz > HIGHEST_HZ)
        return false;
    uint32_t steps = (uint32_t)(((uint64_t)frequency_hz << 19) / CRYSTAL_HZ);
    radio->config.frequency_hz = frequency_hz;
    for (uint8_t i = 0; i < 3; i++)
        write_register(radio, (uint8_t)(REG_FREQUENCY + i), (uint8_t)(steps >> (16 - 8 * i)));
    return true;
}

bool sx127x_set_power(sx127x_t *radio, int32_t power_dbm)
{
    if (power_dbm < 2 || power_dbm > 17)
        return false;
    radio->config.power_dbm = (uint8_t)power_dbm;
    write_register(radio, REG_PA_CONFIG, (uint8_t)(PA_BOOST | (unsigned)(power_dbm - 2)));
    return true;
}

bool sx127x_send(sx127x_t *radio, const uint8_t *data, size_t size)
{
    uint8_t out[1 + SX127X_MAX_BYTES], in[1 + SX127X_MAX_BYTES];
    if (radio->is_sending || size == 0 || size > SX127X_MAX_BYTES)
        return false;
    write_register(radio, REG_OP_MODE, MODE_STANDBY);
    write_register(radio, REG_FIFO_POINTER, 0);
    out[0] = REG_FIFO | WRITE;
    memcpy(out + 1, data, size);
    radio->transfer(radio->user, out, in, 1 + size);
    write_register(radio, REG_PAYLOAD_BYTES, (uint8_t)size);
    write_register(radio, REG_IRQ_FLAGS, 0xFF);
    write_register(radio, REG_OP_MODE, MODE_TX);
    radio->is_sending = true;
    return true;
}

static int16_t level_of(const sx127x_t *radio, uint8_t reading)
{
    return (int16_t)((radio->config.frequency_hz < SPLIT_HZ ? -164 : -157) + reading);
}

static void read_packet(sx127x_t *radio, uint8_t *data, size_t *size)
{
    uint8_t out[1 + SX127X_MAX_BYTES] = {REG_FIFO}, in[1 + SX127X_MAX_BYTES];
    *size = read_register(radio, REG_RX_BYTES);
    write_register(radio, REG_FIFO_POINTER, read_register(radio, REG_FIFO_RX_CURRENT));
    radio->transfer(radio->user, out, in, 1 + *size);
    memcpy(data, in + 1, *size);
    radio->snr_db = (int8_t)((int8_t)read_register(radio, REG_PACKET_SNR) / 4);
    radio->level_dbm = level_of(radio, read_register(radio, REG_PACKET_RSSI));
}

sx127x_event_t sx127x_poll(sx127x_t *radio, uint8_t *data, size_t *size)
{
    uint8_t flags = read_register(radio, REG_IRQ_FLAGS);
    if (radio->is_sending) {
        if (!(flags & IRQ_TX_DONE))
            return SX127X_NOTHING;
        write_register(radio, REG_IRQ_FLAGS, 0xFF);
        listen(radio);
        return SX127X_SENT;
    }
    if (!(flags & IRQ_RX_DONE))
        return SX127X_NOTHING;
    write_register(radio, REG_IRQ_FLAGS, 0xFF);
    if (flags & IRQ_CRC_ERROR)
        return SX127X_DAMAGED;
    read_packet(radio, data, size);
    return SX127X_RECEIVED;
}

bool sx127x_is_busy(const sx127x_t *radio, int16_t *level_dbm)
{
    *level_dbm = level_of(radio, read_register(radio, REG_RSSI));
    return !radio->is_sending && (read_register(radio, REG_MODEM_STATUS) & BUSY_STATUS) != 0;
}

/* Section 4.1.1.7. */
uint32_t sx127x_airtime_ms(const sx127x_config_t *config, size_t size)
{
    int32_t bits = 8 * (int32_t)size - 4 * config->spreading + 28 + 16;
    int32_t symbol_bits = 4 * (config->spreading - (is_low_rate(config) ? 2 : 0));
    uint32_t blocks = bits > 0 ? (uint32_t)((bits + symbol_bits - 1) / symbol_bits) : 0;
    uint32_t quarters = 4u * config->preamble_symbols + 17 + 4 * (8 + blocks * config->coding);
    return (uint32_t)((uint64_t)quarters * symbol_us(config) / 4000) + 1;
}

uint32_t sx127x_bitrate_bps(const sx127x_config_t *config)
{
    return (uint32_t)((uint64_t)4000000 * config->spreading / config->coding /
                      symbol_us(config));
}
