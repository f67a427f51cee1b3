/*
 * Registers with a meaning of their own: FIFO, mode, interrupt flags; all others are memory.
 */
#include "sx127x_sim.h"

#include <string.h>

enum {
    REG_FIFO = 0x00,
    REG_OP_MODE = 0x01,
    REG_FIFO_POINTER = 0x0D,
    REG_FIFO_TX_BASE = 0x0E,
    REG_FIFO_RX_BASE = 0x0F,
    REG_FIFO_RX_CURRENT = 0x10,
    REG_IRQ_FLAGS = 0x12,
    REG_RX_BYTES = 0x13,
    REG_PACKET_SNR = 0x19,
    REG_PACKET_RSSI = 0x1A,
    REG_RSSI = 0x1B,
    REG_PAYLOAD_BYTES = 0x22,
    REG_VERSION = 0x42
};

#define VERSION 0x12u
#define IRQ_TX_DONE 0x08u
#define IRQ_CRC_ERROR 0x20u
#define IRQ_RX_DONE 0x40u
#define LORA 0x80u
#define MODE_BITS 0x07u
#define MODE_STANDBY 1u
#define MODE_TX 3u
#define MODE_RX 5u
#define QUIET 40   /* -157 + 40 = -117 dBm. */
#define STRONG 90  /* -67 dBm. */
#define SNR_QUARTERS 38

void sx127x_sim_init(sx127x_sim_t *sim, sim_on_air_fn on_air, sim_airtime_fn airtime_ms,
                     void *user)
{
    memset(sim, 0, sizeof *sim);
    sim->on_air = on_air;
    sim->airtime_ms = airtime_ms;
    sim->user = user;
    sim->registers[REG_VERSION] = VERSION;
    sim->registers[REG_RSSI] = QUIET;
    sim->registers[REG_OP_MODE] = 0x09;
}

static void set_mode(sx127x_sim_t *sim, uint8_t value)
{
    sim->registers[REG_OP_MODE] = value;
    sim->is_sending = (value & LORA) != 0 && (value & MODE_BITS) == MODE_TX;
    if (sim->is_sending)
        sim->sent_at_ms =
            sim->now_ms + sim->airtime_ms(sim->user, sim->registers[REG_PAYLOAD_BYTES]);
}

static void write_register(sx127x_sim_t *sim, uint8_t address, uint8_t value)
{
    if (address == REG_FIFO)
        sim->fifo[sim->registers[REG_FIFO_POINTER]++] = value;
    else if (address == REG_OP_MODE)
        set_mode(sim, value);
    else if (address == REG_IRQ_FLAGS)
        sim->registers[address] = (uint8_t)(sim->registers[address] & ~value);
    else if (address != REG_VERSION)
        sim->registers[address] = value;
}

static uint8_t read_register(sx127x_sim_t *sim, uint8_t address)
{
    return address == REG_FIFO ? sim->fifo[sim->registers[REG_FIFO_POINTER]++]
                               : sim->registers[address];
}

void sx127x_sim_transfer(void *user, const uint8_t *out, uint8_t *in, size_t size)
{
    sx127x_sim_t *sim = user;
    uint8_t address = out[0] & 0x7F;
    bool is_write = (out[0] & 0x80) != 0;
    in[0] = 0;
    for (size_t i = 1; i < size; i++) {
        if (is_write)
            write_register(sim, address, out[i]);
        else
            in[i] = read_register(sim, address);
        if (address != REG_FIFO)
            address = (address + 1) & 0x7F;
    }
}

void sx127x_sim_tick(sx127x_sim_t *sim, uint32_t now_ms)
{
    uint8_t packet[SIM_FIFO_BYTES];
    sim->now_ms = now_ms;
    if (!sim->is_sending || (int32_t)(now_ms - sim->sent_at_ms) < 0)
        return;
    for (size_t i = 0; i < sim->registers[REG_PAYLOAD_BYTES]; i++)
        packet[i] = sim->fifo[(sim->registers[REG_FIFO_TX_BASE] + i) % SIM_FIFO_BYTES];
    sim->is_sending = false;
    sim->registers[REG_OP_MODE] = LORA | MODE_STANDBY;
    sim->registers[REG_IRQ_FLAGS] |= IRQ_TX_DONE;
    sim->on_air(sim->user, packet, sim->registers[REG_PAYLOAD_BYTES]);
}

void sx127x_sim_receive(sx127x_sim_t *sim, const uint8_t *data, size_t size, bool is_damaged)
{
    bool is_listening = sim->registers[REG_OP_MODE] == (LORA | MODE_RX);
    if (!is_listening || size >= SIM_FIFO_BYTES ||
        (sim->registers[REG_IRQ_FLAGS] & IRQ_RX_DONE) != 0) {
        sim->unheard++;
        return;
    }
    for (size_t i = 0; i < size; i++)
        sim->fifo[(sim->registers[REG_FIFO_RX_BASE] + i) % SIM_FIFO_BYTES] = data[i];
    sim->registers[REG_FIFO_RX_CURRENT] = sim->registers[REG_FIFO_RX_BASE];
    sim->registers[REG_RX_BYTES] = (uint8_t)size;
    sim->registers[REG_PACKET_SNR] = SNR_QUARTERS;
    sim->registers[REG_PACKET_RSSI] = STRONG;
    sim->registers[REG_IRQ_FLAGS] |= (uint8_t)(IRQ_RX_DONE | (is_damaged ? IRQ_CRC_ERROR : 0u));
}
