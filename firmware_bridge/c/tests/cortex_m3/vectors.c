/*
 * Start of a test program on the board mps2-an385 (Cortex-M3), as qemu-system-arm knows it.
 *
 * newlib's start code asks the debugger for everything else: output, arguments, the end.
 */
#include <stdint.h>

extern uint32_t stack_top[];
void _start(void);

/* A fault ends in the same way as a failed check: the program does not say "ok". */
static void fault(void)
{
    for (;;)
        __asm__ volatile("bkpt 0xFF");
}

__attribute__((section(".vectors"), used)) static const struct {
    uint32_t *stack;
    void (*handlers[15])(void);
} VECTORS = {
    stack_top,
    {_start, fault, fault, fault, fault, fault, 0, 0, 0, 0, fault, fault, 0, fault, fault},
};
