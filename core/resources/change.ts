import type { z } from 'zod'
import type { Problem } from './problem.ts'
import { changeRulesOf } from './rule.ts'
import { childSchema, unwrap } from './schema-tree.ts'

/**
 * What forbids a change from one valid resource to another: the transition rules that the Kubernetes API server checks on
 * update (`oldSelf`). Outside Kubernetes whoever replaces a revision asks here first. Lists are not entered: no rule on a
 * change stands inside one.
 */
export function changeProblems(schema: z.ZodType, before: unknown, after: unknown): Problem[] {
  return walk(schema, before, after, [])
}

function walk(schema: z.ZodType, before: unknown, after: unknown, path: readonly PropertyKey[]): Problem[] {
  if (before === undefined || after === undefined) return []
  const problems = changeRulesOf(unwrap(schema))
    .filter((rule) => !rule.allows(before, after))
    .map((rule) => ({ path: [...path], message: rule.message }))
  if (!isObject(before) || !isObject(after)) return problems
  for (const key of Object.keys(after)) {
    const child = childSchema(schema, key)
    if (child) problems.push(...walk(child, before[key], after[key], [...path, key]))
  }
  return problems
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
