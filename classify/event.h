/* classify/event.h - the normalised event: one thing that an MTA, a person or an operator says of
 * one recipient.
 *
 * Every input format is decoded into this; everything behind the decoder knows only this. The words
 * (kinds, classes, categories) stand in event.def; the JSON names of the fields are those of format
 * `native`.
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

enum kind {
#define KIND(NAME, name) KIND_##NAME,
#include "classify/event.def"
    KIND_COUNT
};

/* To what the server said its reply: `connect` is its greeting, or the refusal to give one. `none`: the
 * record does not tell. */
enum stage {
#define STAGE(NAME, name) STAGE_##NAME,
#include "classify/event.def"
    STAGE_COUNT
};

enum class {
#define CLASS(NAME, name) CLASS_##NAME,
#include "classify/event.def"
    CLASS_COUNT
};

enum category {
#define CATEGORY(NAME, name, CLASS) CATEGORY_##NAME,
#include "classify/event.def"
    CATEGORY_COUNT
};

/* `local`: our own doing. Everything else is `remote`, also what could not be found or reached. */
enum origin { ORIGIN_REMOTE, ORIGIN_LOCAL, ORIGIN_COUNT };

const char *kind_name(enum kind kind);
const char *stage_name(enum stage stage);
const char *class_name(enum class class_);
const char *category_name(enum category category);
const char *origin_name(enum origin origin);

/* False, and *out untouched, for a word that is none. */
bool kind_find(struct span name, enum kind *out);
bool stage_find(struct span name, enum stage *out);
bool category_find(struct span name, enum category *out);
bool origin_find(struct span name, enum origin *out);

/* The class of the table in event.def, whatever the event's kind. */
enum class category_class(enum category category);

/* bounced, expired, late_bounce: nobody will try again. */
bool kind_is_final(enum kind kind);
/* a deferred or final event */
bool kind_is_failure(enum kind kind);

struct enhanced {
    uint8_t class_; /* 2, 4, 5; 0: there was none */
    uint16_t subject;
    uint16_t detail;
};

struct reply {
    uint16_t code;            /* RFC 5321; 0: there was none */
    struct enhanced enhanced; /* RFC 3463 */
    struct span text; /* without the codes; lines of a multi-line reply joined with one space */
    enum stage stage;
};

/* Spans are borrowed from the decoder until its sink returns. An absent field is SPAN_NONE (data ==
 * NULL). */
struct event {
    enum kind kind;
    enum origin origin;
    enum category
        category;    /* given by the event itself (`native`); else CATEGORY_NONE: classify it */
    int64_t ts_ms;   /* 0: the record names none */
    int32_t attempt; /* -1: the record names none */
    struct reply reply;
    struct span recipient; /* as sent; address.h makes the key of it */
    struct span tenant;
    struct span campaign;
    struct span message_id;
    struct span event_id;
    struct span sender;
    struct span mx;
    struct span provider;
    struct span native_class; /* the upstream's own class: a hint for replies that we do not know */
};

/* Everything absent: kind ignored, origin remote, attempt -1. */
struct event event_init(void);
