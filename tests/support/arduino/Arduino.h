// As much of Arduino as the example needs to compile on a computer; nothing of it does anything.
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { LOW, HIGH, OUTPUT };

struct FakeSerial {
    void begin(unsigned long) {}
    int available() { return 0; }
    int read() { return -1; }
    size_t write(const uint8_t *, size_t size) { return size; }
};
static FakeSerial Serial;

inline void pinMode(int, int) {}
inline void digitalWrite(int, int) {}
inline void delay(unsigned long) {}
inline unsigned long millis() { return 0; }
