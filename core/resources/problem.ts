import type { z } from 'zod'
import { knownNames } from './schema-tree.ts'

/** Something wrong at one place of a value. The message never repeats the value: it may be a secret put in the wrong field. */
export interface Problem {
  path: PropertyKey[]
  message: string
}

export type Parsed<T> = { ok: true; value: T } | { ok: false; problems: Problem[] }

/** Checks a value against a schema and fills in its defaults. An unknown field names the nearest known one. */
export function parse<S extends z.ZodType>(schema: S, input: unknown): Parsed<z.output<S>> {
  const result = schema.safeParse(input, { reportInput: true })
  if (result.success) return { ok: true, value: result.data }
  const problems = result.error.issues.flatMap((issue) => {
    const path = [...issue.path]
    if (issue.code !== 'unrecognized_keys') return [{ path, message: describe(issue) }]
    const known = knownNames(schema, path)
    return issue.keys.map((key) => ({
      path: [...path, key],
      message: `unknown field${suggestion(key, known)}`,
    }))
  })
  return { ok: false, problems }
}

/** `spec.providers[0].smtp.port`; a key that is no plain name is quoted: `spec.topic.config["retention.ms"]`. */
export function formatPath(path: readonly PropertyKey[]): string {
  let text = ''
  for (const segment of path) {
    if (typeof segment === 'number') text += `[${segment}]`
    else if (/^[\w$-]+$/.test(String(segment))) text += text === '' ? String(segment) : `.${String(segment)}`
    else text += `[${JSON.stringify(String(segment))}]`
  }
  return text
}

/** `; did you mean "smtp"?` for the nearest of the known names, or nothing when none is near. */
export function suggestion(name: string, known: readonly string[]): string {
  const far = Math.max(1, Math.floor(name.length / 3)) + 1
  const [nearest] = known
    // Most names of many are told apart by their lengths alone, which costs next to nothing.
    .filter(({ length }) => Math.abs(length - name.length) < far)
    .map((candidate) => ({ candidate, distance: editDistance(name.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ distance }) => distance < far)
    .toSorted((a, b) => a.distance - b.distance)
  return nearest ? `; did you mean "${nearest.candidate}"?` : ''
}

function describe(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'is required' : `must be ${withArticle(issue.expected)}`
    case 'invalid_value':
      if (issue.input === undefined) return 'is required'
      return issue.values.length === 1
        ? `must be ${JSON.stringify(issue.values[0])}`
        : `must be one of ${issue.values.map(String).join(', ')}`
    case 'too_small':
      return bound(issue.origin, 'at least', issue.minimum)
    case 'too_big':
      return bound(issue.origin, 'at most', issue.maximum)
    case 'invalid_key':
      return `invalid key: ${issue.issues.map((inner) => describe(inner)).join(', ')}`
    case 'invalid_union':
      return 'has a wrong type'
    case 'invalid_format':
      return issue.message.startsWith('Invalid') ? `must be a valid ${issue.format}` : issue.message
    case 'custom':
    case 'invalid_element':
    case 'not_multiple_of':
    case 'unrecognized_keys':
      return issue.message
  }
}

function bound(origin: string, relation: string, limit: number | bigint): string {
  const plural = Number(limit) === 1 ? '' : 's'
  if (origin === 'string') return `must be ${relation} ${limit} character${plural} long`
  if (origin === 'array') return `must have ${relation} ${limit} item${plural}`
  return `must be ${relation} ${limit}`
}

function withArticle(type: string): string {
  const names: Record<string, string> = {
    int: 'an integer',
    object: 'an object',
    record: 'a map',
    array: 'a list',
    boolean: 'true or false',
  }
  return names[type] ?? `a ${type}`
}

/** Optimal string alignment: insertions, deletions, substitutions, and two neighbours swapped. */
function editDistance(a: string, b: string): number {
  let above: number[] = []
  let row = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      const swapped = a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      next[j] = Math.min(
        row[j]! + 1,
        next[j - 1]! + 1,
        row[j - 1]! + (same ? 0 : 1),
        swapped ? above[j - 2]! + 1 : Infinity,
      )
    }
    above = row
    row = next
  }
  return row[b.length]!
}
