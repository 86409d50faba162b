import type { z } from 'zod'
import type { KubernetesObject } from './runtime/api/resource-kind.ts'

export type Parsed<R> = { kind: 'ok'; resource: R } | { kind: 'invalid'; message: string }

/** Characters of a condition's message that are spent on what is wrong with a spec. */
const longestMessage = 2_000

/**
 * Reads objects of one kind. The schema of a resource was checked at admission; what the API server cannot check, and a schema older than ours,
 * is checked here. An object never changes, another version is another object: so each is checked once, however often its neighbours ask.
 */
export function createParser<R>(
  schema: z.ZodType<R>,
): (object: KubernetesObject & { spec: unknown }) => Parsed<R> {
  const known = new WeakMap<object, Parsed<R>>()
  return (object) => {
    const before = known.get(object)
    if (before !== undefined) return before
    const { apiVersion, kind, spec } = object
    const { name, namespace, labels } = object.metadata
    const metadata = { name, namespace, ...(labels && { labels }) }
    const result = schema.safeParse({ apiVersion, kind, metadata, spec })
    const parsed: Parsed<R> = result.success
      ? { kind: 'ok', resource: result.data }
      : { kind: 'invalid', message: describeIssues(result.error.issues) }
    known.set(object, parsed)
    return parsed
  }
}

function describeIssues(issues: readonly { path: PropertyKey[]; message: string }[]): string {
  return issues
    .map(({ path, message }) => `${path.join('.')}: ${message}`)
    .join('; ')
    .slice(0, longestMessage)
}
