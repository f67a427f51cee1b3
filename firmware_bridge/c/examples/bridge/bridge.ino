// A modem of an Arduino board with an SX127x: packets of the host's serial line on the air, and
// back. The host runs `edge-codec tx` and `edge-codec rx` on that line.
//
// Pins below are those of common ESP32 boards with LoRa; change them, the frequency and the power
// to what your board and your country's rules want.

#include <Arduino.h>
#include <SPI.h>

#include "firmware.h"

static const int PIN_SELECT = 18, PIN_RESET = 14;
static const unsigned long BAUD = 115200;
static const uint32_t FREQUENCY_HZ = 868100000;

static firmware_t firmware;

static void transfer(void *, const uint8_t *out, uint8_t *in, size_t size)
{
    SPI.beginTransaction(SPISettings(8000000, MSBFIRST, SPI_MODE0));
    digitalWrite(PIN_SELECT, LOW);
    for (size_t i = 0; i < size; i++)
        in[i] = SPI.transfer(out[i]);
    digitalWrite(PIN_SELECT, HIGH);
    SPI.endTransaction();
}

static void toHost(void *, const uint8_t *data, size_t size)
{
    Serial.write(data, size);
}

static void resetRadio()
{
    pinMode(PIN_RESET, OUTPUT);
    digitalWrite(PIN_RESET, LOW);
    delay(1);
    digitalWrite(PIN_RESET, HIGH);
    delay(10);
}

void setup()
{
    Serial.begin(BAUD);
    pinMode(PIN_SELECT, OUTPUT);
    digitalWrite(PIN_SELECT, HIGH);
    resetRadio();
#if defined(ARDUINO_ARCH_ESP32)
    SPI.begin(5, 19, 27, PIN_SELECT);  // Clock, in, out.
#else
    SPI.begin();
#endif
    const firmware_board_t board = {transfer, toHost, nullptr};
    sx127x_config_t config = sx127x_defaults();
    config.frequency_hz = FREQUENCY_HZ;
    while (!firmware_init(&firmware, &config, &board, millis()))
        delay(1000);  // No radio: check wiring and pins.
}

void loop()
{
    uint8_t data[64];
    size_t size = 0;
    while (size < sizeof data && Serial.available() > 0)
        data[size++] = static_cast<uint8_t>(Serial.read());
    firmware_receive(&firmware, data, size, millis());
    firmware_poll(&firmware, millis());
}
