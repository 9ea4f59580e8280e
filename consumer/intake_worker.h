/* consumer/intake_worker.h - the intake's role: raw records in, packed observations and dead
 * letters out.
 *
 * Stateless: what it loses by a crash is read again from the committed offset.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "consumer/process.h"
#include "consumer/worker.h"

/* io_config.outputs of an intake, by this order. */
enum intake_output { INTAKE_EVENTS, INTAKE_DEAD_LETTERS, INTAKE_OUTPUTS };

struct intake_role;

MUST_USE enum err intake_role_create(const struct process *process, struct intake_role **out);
void intake_role_destroy(struct intake_role **role);
const struct role_ops *intake_role_ops(void);

/* Relaxed counters of what was committed. */
struct intake_totals {
    _Atomic uint64_t records;
    _Atomic uint64_t events;
    _Atomic uint64_t routed;
    _Atomic uint64_t ignored;
    _Atomic uint64_t harmless;
    _Atomic uint64_t dead_letters;
    _Atomic uint64_t clamped;
    _Atomic uint64_t lost; /* input trimmed below the committed offset */
};
const struct intake_totals *intake_role_totals(const struct intake_role *role);
