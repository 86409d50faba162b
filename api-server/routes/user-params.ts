/** The id of a user in a path. NUL cannot be stored, so no user has it. */
const id = {
  type: 'string',
  minLength: 1,
  maxLength: 128,
  pattern: '^[^\\u0000]+$',
  description: 'Your id of the user.',
  examples: ['user123'],
}

export const userParams = { type: 'object', properties: { id }, required: ['id'] }
/** The same under the name that the older route has for it. */
export const userIdParams = { type: 'object', properties: { user_id: id }, required: ['user_id'] }
