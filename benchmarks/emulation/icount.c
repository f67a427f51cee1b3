/* Counts the instructions that a program executes, for qemu-user (TCG plugin API 1, qemu 6.1 and up).

   The program marks the end of a phase by the harmless system call prctl(0x45434d4b, ...): at each
   mark the count since the last one is written to the file of the argument out=FILE, one a line.

   gcc -O2 -shared -fPIC -o icount.so icount.c; qemu-aarch64 -plugin ./icount.so,out=FILE PROGRAM
   Needs no headers of qemu: what it uses of the API is declared here. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define API __attribute__((visibility("default")))
#define MARK 0x45434d4b
#define PRCTL_AARCH64 167
#define PRCTL_X86_64 157

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
typedef void (*translate_cb)(plugin_id, struct qemu_plugin_tb *);
typedef void (*syscall_cb)(plugin_id, unsigned vcpu, int64_t number, uint64_t, uint64_t, uint64_t,
                           uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);
enum { ADD_U64 = 0 };

size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, translate_cb);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int op, void *, uint64_t);
void qemu_plugin_register_vcpu_syscall_cb(plugin_id, syscall_cb);

API int qemu_plugin_version = 1;

static uint64_t executed, at_last_mark;
static FILE *out;

static void on_translation(plugin_id id, struct qemu_plugin_tb *tb)
{
    (void)id;
    qemu_plugin_register_vcpu_tb_exec_inline(tb, ADD_U64, &executed, qemu_plugin_tb_n_insns(tb));
}

static void on_syscall(plugin_id id, unsigned vcpu, int64_t number, uint64_t a1, uint64_t a2,
                       uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8)
{
    (void)id, (void)vcpu, (void)a2, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
    if ((number != PRCTL_AARCH64 && number != PRCTL_X86_64) || a1 != MARK)
        return;
    fprintf(out, "%" PRIu64 "\n", executed - at_last_mark);
    fflush(out);
    at_last_mark = executed;
}

API int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
    (void)info;
    out = stderr;
    for (int i = 0; i < argc; i++)
        if (strncmp(argv[i], "out=", 4) == 0)
            out = fopen(argv[i] + 4, "w");
    if (out == NULL)
        return -1;
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_vcpu_syscall_cb(id, on_syscall);
    return 0;
}
