/*
 * The bridge between a host's serial line and a packet radio: queue, turns, host control.
 *
 * Packets (P) are stuffed on the line and bare on the air, where the radio keeps them apart. Host
 * control is section 12 of docs/protocol.md. No heap, no globals; the caller owns the memory,
 * moves the bytes and tells the time.
 */
#ifndef BRIDGE_H
#define BRIDGE_H

#include "edge_link.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Packets that wait for the channel, two bytes of length each: a second of P3000. */
#define BRIDGE_QUEUE_BYTES 1024
#define BRIDGE_STAT_MS 500u
/** How long a channel in use is waited for. */
#define BRIDGE_BUSY_MS 1000u
/** How much longer than its airtime a packet may take before its radio counts as stuck. */
#define BRIDGE_STUCK_MS 1000u
#define BRIDGE_UNKNOWN_DB INT8_MIN

/** Parameters of a SET message. */
typedef enum {
    BRIDGE_FREQUENCY_HZ = 1,
    BRIDGE_AIR_RATE_BPS,
    BRIDGE_POWER_DBM,
    BRIDGE_TX_DELAY_MS,
    BRIDGE_TAIL_MS
} bridge_parameter_t;

/** What the bridge asks of the board; none may call the bridge. */
typedef struct {
    void *user;
    /** Write to the host. */
    void (*to_host)(void *user, const uint8_t *data, size_t size);
    /** Begin to send a packet; bridge_sent() follows, or reset() is called. False: not now. */
    bool (*to_radio)(void *user, const uint8_t *data, size_t size);
    /** Whether somebody else is on the channel, and the level there. */
    bool (*is_busy)(void *user, int16_t *level_dbm);
    /** Time on the air of so many bytes. */
    uint32_t (*airtime_ms)(void *user, size_t size);
    /** Change a parameter if that can be; returns the value in force. */
    int32_t (*set)(void *user, bridge_parameter_t parameter, int32_t value);
    /** Set the radio up anew. */
    void (*reset)(void *user);
} bridge_board_t;

/** Whose turn it is. */
typedef enum {
    BRIDGE_LISTENING, /**< Nothing to send. */
    BRIDGE_WAITING,   /**< For a free channel. */
    BRIDGE_SENDING
} bridge_state_t;

/** A bridge. Private but for `state` and `lost`. */
typedef struct {
    bridge_board_t board;
    bridge_state_t state;
    uint32_t lost; /**< Packets that were damaged, stuck, or had to make room for newer ones. */
    uint32_t waiting_since_ms;
    uint32_t sending_since_ms;
    uint32_t sending_at_most_ms;
    uint32_t stat_ms;
    uint32_t queue_ms;
    int8_t snr_db;
    uint8_t number; /* Of the next message to the host. */
    uint16_t line_used;
    uint16_t queue_used;
    uint8_t line[EDGE_MAX_WIRE_BYTES - 1];
    uint8_t queue[BRIDGE_QUEUE_BYTES]; /* Length, packet, length, packet; the oldest first. */
} bridge_t;

/** Nothing queued, nothing heard. */
void bridge_init(bridge_t *bridge, const bridge_board_t *board, uint32_t now_ms);

/** Take bytes of the host, in any pieces. */
void bridge_from_host(bridge_t *bridge, const uint8_t *data, size_t size, uint32_t now_ms);

/** Take a packet that came by air. */
void bridge_from_radio(bridge_t *bridge, const uint8_t *data, size_t size, int8_t snr_db);

/** A packet that came by air was damaged. */
void bridge_lost_one(bridge_t *bridge);

/** The packet given to the radio has been sent. */
void bridge_sent(bridge_t *bridge, uint32_t now_ms);

/** Send what may be sent now, and STAT when due; call it every few milliseconds. */
void bridge_tick(bridge_t *bridge, uint32_t now_ms);

#ifdef __cplusplus
}
#endif

#endif
