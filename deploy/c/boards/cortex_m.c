/* What a Cortex-M under QEMU needs beside the program: vectors, memory, a counter. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

extern uint32_t stack_top[], data_load[], data_start[], data_end[], bss_start[], bss_end[];
void initialise_monitor_handles(void);
int main(void);
void _init(void);
void _fini(void);
uint32_t srnn_counter(void);

void _init(void) {}
void _fini(void) {}

static void stop(void)
{
    abort();
}

static void begin(void)
{
    volatile uint32_t *systick = (volatile uint32_t *)0xE000E010u;
    memcpy(data_start, data_load, (size_t)((char *)data_end - (char *)data_start));
    memset(bss_start, 0, (size_t)((char *)bss_end - (char *)bss_start));
    systick[1] = 0x00FFFFFFu;
    systick[2] = 0;
    systick[0] = 5;
    initialise_monitor_handles();
    exit(main());
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    stack_top, (const void *)begin, (const void *)stop, (const void *)stop,
    (const void *)stop, (const void *)stop, (const void *)stop,
};

/* SysTick counts the clock of the machine down; an instruction takes 1 ns of its time. */
uint32_t srnn_counter(void)
{
    static uint32_t last = 0x00FFFFFFu, total = 0;
    const uint32_t now = *(volatile uint32_t *)0xE000E018u;
    total += (last - now) & 0x00FFFFFFu;
    last = now;
    return total;
}
