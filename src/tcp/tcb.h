/* placeholder: written by the tcp module */
#ifndef CAPY_TCP_TCB_H
#define CAPY_TCP_TCB_H
#endif
