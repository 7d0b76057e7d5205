/* The generated skeleton of plane.bpf.c (bpftool gen skeleton), which is not written as we write. */
#ifndef CAPY_XDP_SKELETON_H
#define CAPY_XDP_SKELETON_H

#include "switch/xdp/layout.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wpedantic"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Woverlength-strings"
#include "plane.skel.h"
#pragma GCC diagnostic pop

#endif
