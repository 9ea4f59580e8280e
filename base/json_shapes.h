/* base/json_shapes.h - JSON texts whose shape was seen before, read without parsing them again.
 *
 * A program writes its records with one template: between the values stand the same bytes each
 * time. A text is compared with the texts seen before (base/json_shapes.c tells how) and is known
 * only if all that differs are whole strings without escapes and numbers from 0 on without exponent; what
 * comes out is then exactly what json_read() would give. Of everything else nothing is said: it is
 * for json_read(), the one judge of what is JSON, and may be learned from it.
 *
 * Owns:    memory of fixed size, taken in json_shapes_create(); never elsewhere.
 * Limits:  JSON_SHAPES_MAX shapes, and what they may consist of. When something is used up, nothing is
 *          learned for a while; then all is forgotten and learned anew.
 * Thread:  confined to one.
 * Errors:  none but ERR_NO_MEMORY from json_shapes_create().
 *
 * SPDX-License-Identifier: Apache-2.0
 */
#pragma once

#include "base/json.h"

struct json_shapes;

enum { JSON_SHAPES_MAX = 64 };

MUST_USE enum err json_shapes_create(struct json_shapes **out);
void json_shapes_destroy(struct json_shapes **shapes);

/* The nodes of `text`, not SPAN_NONE; NULL: its shape is unknown. Never reads behind its end. Borrowed
 * until the next call with these shapes; strings lie in `text`.
 *
 * Each time that a shape is known, its nodes lie at the same place, with the same keys and kinds. So
 * what a caller found in them can be found again by *shape, which is not 0, and never given to
 * another; those that are known at one time differ modulo JSON_SHAPES_MAX. */
const struct json_node *json_shapes_read(struct json_shapes *shapes,
                                         struct span text,
                                         uint64_t *shape);

/* Has a look at a text that json_shapes_read() did not know; `root` is what json_read() said of it.
 * At most one pass over it, and none if it is long. */
void json_shapes_learn(struct json_shapes *shapes, struct span text, const struct json_node *root);

/* As if none had been learned. */
void json_shapes_forget(struct json_shapes *shapes);
