// See Arduino.h.
#pragma once
#include <stdint.h>

enum { MSBFIRST, SPI_MODE0 };

struct SPISettings {
    SPISettings(uint32_t, int, int) {}
};
struct FakeSPI {
    void begin() {}
    void begin(int, int, int, int) {}
    void beginTransaction(const SPISettings &) {}
    void endTransaction() {}
    uint8_t transfer(uint8_t) { return 0; }
};
static FakeSPI SPI;
