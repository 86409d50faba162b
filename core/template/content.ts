import type { Content } from '../notification/envelope.ts'
import type { ChannelType } from '../resources/channel-type.ts'
import type { Parts } from './locale.ts'
import { type Assembled, assembleMessage, isBlank } from './message.ts'

/**
 * The message for a request that brings its own words instead of a template. They are sent as they are: nothing in them is rendered.
 * Not a message where {@link missingContent} names a field, or what is there is blank.
 */
export function messageFromContent(type: ChannelType, address: string, content: Content): Assembled {
  return assembleMessage(type, address, partsOf(type, content))
}

/** Fields that a content lacks for channels of a type: empty when it can be sent there. */
export function missingContent(type: ChannelType, content: Content): (keyof Content)[] {
  return requiredFields(type, content).filter((field) => isBlank(content[field]))
}

function requiredFields(type: ChannelType, content: Content): (keyof Content)[] {
  switch (type) {
    case 'email':
      return isBlank(content.html) ? ['subject', 'text'] : ['subject']
    case 'push':
    case 'inapp':
      return ['subject', 'text']
    case 'sms':
    case 'slack':
      return ['text']
    case 'webhook':
      return isBlank(content.subject) && isBlank(content.html) ? ['text'] : []
  }
}

function partsOf(type: ChannelType, { subject, text, html }: Content): Parts {
  switch (type) {
    case 'email':
      return { subject, text, html }
    case 'sms':
      return { text }
    case 'push':
    case 'inapp':
      return { title: subject, body: text }
    case 'slack':
      return { text: isBlank(subject) ? text : `*${subject}*\n${text}` }
    case 'webhook':
      return {
        body: {
          ...(subject !== undefined && { subject }),
          ...(text !== undefined && { text }),
          ...(html !== undefined && { html }),
        },
      }
  }
}
