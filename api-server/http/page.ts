import { decodeCursor } from './cursor.ts'
import { InvalidRequest } from './validation.ts'

/** Parameters of a list that comes in pages. */
export interface PageQuery {
  limit: number
  cursor?: string
}

export const pageParameters = {
  limit: { type: 'integer', minimum: 1, maximum: 200, default: 50, description: 'Entries in a page.' },
  cursor: { type: 'string', maxLength: 64, description: 'The `next_cursor` of the page before.' },
}

/** Where the page begins. Throws InvalidRequest for a cursor that is none. */
export function readPage({ limit, cursor }: PageQuery): { limit: number; before?: number } {
  if (cursor === undefined) return { limit }
  const before = decodeCursor(cursor)
  if (before === undefined) {
    throw new InvalidRequest([
      { parameter: 'cursor', code: 'wrong_format', detail: 'is no cursor of this list' },
    ])
  }
  return { limit, before }
}
