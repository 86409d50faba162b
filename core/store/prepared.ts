import { type RawBuilder, sql } from 'kysely'
import type { PoolClient } from 'pg'
import type { Logger } from '../observability/logger.ts'

/**
 * Stands before a statement that runs all the time: a connection parses it once and, from the sixth run on, plans it no more. PostgreSQL keeps a plan
 * only when one for the values at hand looks no better. So what such a statement is given is one JSON text, of which it cannot see how much is in
 * it, and not arrays. @param name of no other statement
 */
export const prepared = (name: string): RawBuilder<unknown> => sql.raw(`/* prepared: ${name} */`)

const mark = /^\/\* prepared: (\w+) \*\//
/** Of a statement that is not there, or is there already: a pooler hands us now this connection of its own, now that. */
const pooledStates = new Set(['26000', '42P05'])

/** Has the connections of one pool prepare what is marked so, until it shows that a pooler stands between that does not know of it. */
export function statementPreparer(logger: Logger): (client: PoolClient) => void {
  let pooled = false
  return (client) => {
    const run = client.query.bind(client) as (...args: unknown[]) => Promise<unknown>
    const prepare: typeof run = (...args) => {
      const [text, values] = args
      const name = typeof text === 'string' && !pooled ? mark.exec(text)?.[1] : undefined
      if (name === undefined) return run(...args)
      const result = run({ name, text, values })
      result.catch((error: unknown) => {
        if (pooled || !pooledStates.has((error as { code?: string }).code ?? '')) return
        pooled = true
        logger.warn('A pooler before PostgreSQL knows no prepared statements: none are used, which costs CPU')
      })
      return result
    }
    client.query = prepare as PoolClient['query']
  }
}
