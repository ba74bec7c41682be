/* A counter of instructions for a RISC-V core under QEMU. */
#include <stdint.h>

uint32_t srnn_counter(void);

/* csrr minstret, for assemblers that take Zicsr for an extension of its own. */
uint32_t srnn_counter(void)
{
    uint32_t count;
    __asm__ volatile(".insn i SYSTEM, 2, %0, x0, -1278" : "=r"(count));
    return count;
}
