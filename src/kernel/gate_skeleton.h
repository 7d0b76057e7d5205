/* The generated skeleton of gate.bpf.c (bpftool gen skeleton), which is not written as we write. */
#ifndef CAPY_KERNEL_GATE_SKELETON_H
#define CAPY_KERNEL_GATE_SKELETON_H

#include <bpf/libbpf.h>
#include <stdbool.h>

#include "kernel/gate_shared.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Woverlength-strings"
#include "gate.skel.h"
#pragma GCC diagnostic pop

#endif
