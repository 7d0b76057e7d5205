/* The switch as a program: a plane between a rack file's ports, and a control socket. The plane runs in
 * this process (switch/core between drivers), or in the kernel (switch/xdp), where it goes on when this
 * process ends. `capy switch` is a thin shell around these calls. */
#ifndef CAPY_SWITCH_SWITCH_H
#define CAPY_SWITCH_SWITCH_H

#include "switch/user/fault.h"
#include <stddef.h>
#include <stdio.h>

struct capy_switch_run {
    const char *rack_file;
    const char *driver;   /* NULL: as the rack file says */
    const char *plane;    /* "xdp": in the kernel; NULL or "user": in this process */
    bool wire;            /* no switch, but a rack's cables: see capy_switch_main_run */
    const char *xdp_mode; /* "native" or "generic" XDP on all devices; NULL or "auto": what works */
    const char *capture_dir; /* NULL: none; else each port writes <capture_dir>/<device>.pcapng */
    const char *record;  /* file for everything that goes into the plane; NULL: none. It holds the
                                rack's key (docs/operating.md, "Recording") */
    uint64_t record_mib; /* the recording ends at this size; 0: never */
    bool record_frames;  /* frames sent are recorded whole, and not only their hash */
    const char *fault_port; /* device or server the faults apply to; NULL or "all": every port */
    struct capy_fault_cfg fault; /* all zero: none. Each port adds its index to the seed */
    FILE *log;                   /* one line per port opened, NULL: silent */
};

/* Runs until SIGINT or SIGTERM. CAPY_OK, or with one line in err: CAPY_E_CONFIG (rack file or
 * options), CAPY_E_INUSE (a switch already answers on <run_dir>/switch.sock), CAPY_E_NOMEM,
 * CAPY_E_SYS (a device or the socket). Everything opened is closed again.
 *
 * The control socket <run_dir>/switch.sock takes one JSON object per line and answers each with
 * one:
 * {"ok":true, ...} or {"ok":false, "error":"..."}.
 *   {"cmd":"status"}                what runs, since when, how full the directory is
 *   {"cmd":"servers"}               load table: alive, draining, load, free, connections
 *   {"cmd":"entries","limit":N}     the directory's first N entries (default 100, at most 10000)
 *   {"cmd":"counters"}              the plane's named counters
 *   {"cmd":"ports"}                 drivers in detail, frame counts, faults
 *   {"cmd":"fault","port":P, ...}   faults for frames that enter at P (device, server or "all"):
 *       "loss_ppm", "dup_ppm", "reorder_ppm", "delay_us", "jitter_us", "seed",
 *       "drop_type":"CONN_STATE_ACK", "drop_cnt":N. What is not given is off.
 *   {"cmd":"fault","clear":true}    no faults at all (with "port": at that one)
 * The plane in the kernel injects no faults and captures nothing.
 *
 * wire: what comes in at a port of the rack file leaves through the device of the same name with "-up"
 * behind it, and back; there is no plane. The socket is <run_dir>/wire.sock, and answers status, ports
 * and fault. */
int capy_switch_main_run(const struct capy_switch_run *run, char *err, size_t err_len);

/* Takes a plane that was left in the kernel off its devices, and forgets what it knew. CAPY_OK;
 * CAPY_E_CONFIG when there is none; CAPY_E_INUSE while a switch answers there; CAPY_E_SYS. */
int capy_switch_main_remove(const char *rack_file, char *err, size_t err_len);

#endif
