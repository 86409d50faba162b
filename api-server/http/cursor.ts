/** Where a page of a list begins, in a form that invites nobody to compute with it. */
export function encodeCursor(sequence: number): string {
  return Buffer.from(`before:${sequence}`).toString('base64url')
}

/** `undefined` for a text that is no cursor of ours. */
export function decodeCursor(cursor: string): number | undefined {
  const match = /^before:(\d{1,15})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1'))
  return match?.[1] === undefined ? undefined : Number(match[1])
}
