/**
 * How a recipient is shown, from its canonical form: a user by id, an address with enough left to be recognised by who knows it.
 * @param userId set where the recipient is a user, whose id may itself look like an address
 */
export function maskRecipient(canonical: string, userId: string | null): Record<string, string> {
  if (userId !== null) {
    const device = canonical.slice(`user:${userId}`.length).replace(/^\/device:/, '')
    return { user_id: userId, ...(device && { device_token: maskMiddle(device) }) }
  }
  const colon = canonical.indexOf(':')
  const property = canonical.slice(0, colon)
  const address = canonical.slice(colon + 1)
  return { [property]: mask(property, address) }
}

function mask(property: string, address: string): string {
  switch (property) {
    case 'email': {
      const at = address.lastIndexOf('@')
      return `${address.slice(0, 1)}***${address.slice(at)}`
    }
    case 'webhook_url':
      return `${URL.canParse(address) ? new URL(address).origin : ''}/***`
    case 'slack_channel':
      // The name of a room, not of a person.
      return address
    default:
      return maskMiddle(address)
  }
}

function maskMiddle(text: string): string {
  return text.length < 8 ? '***' : `${text.slice(0, 2)}***${text.slice(-2)}`
}
