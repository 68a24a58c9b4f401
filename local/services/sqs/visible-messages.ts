import type { StoredMessage } from './message.ts';

/** Which visible messages may be received next. */
export interface VisibleMessages {
  readonly available: boolean;
  readonly size: number;
  /** A message has arrived, visible or not. */
  arrived(message: StoredMessage): void;
  appeared(message: StoredMessage): void;
  received(message: StoredMessage): void;
  /** The message is not in flight any more, because it was deleted or became visible again. */
  landed(message: StoredMessage): void;
  removed(message: StoredMessage): void;
  /** Visible messages in the order in which they may be received. Nothing may change while they are iterated. */
  candidates(): Iterable<StoredMessage>;
}

/** A standard queue: any visible message, roughly in order of arrival. */
export class UnorderedMessages implements VisibleMessages {
  private readonly visible = new Map<string, StoredMessage>();

  get available() {
    return this.visible.size > 0;
  }
  get size() {
    return this.visible.size;
  }
  arrived() {}
  appeared(message: StoredMessage) {
    this.visible.set(message.key, message);
  }
  received(message: StoredMessage) {
    this.visible.delete(message.key);
  }
  landed() {}
  removed(message: StoredMessage) {
    this.visible.delete(message.key);
  }
  candidates() {
    return this.visible.values();
  }
}

interface Group {
  /** All messages of the group in order, hidden ones included. */
  messages: StoredMessage[];
  visible: Set<string>;
  inFlight: number;
}

/** A FIFO queue: the first messages of each group of which none is in flight. */
export class GroupedMessages implements VisibleMessages {
  private readonly groups = new Map<string, Group>();
  /** Groups whose first message can be received; the one that has waited longest is first. */
  private readonly free = new Set<Group>();
  private visibleCount = 0;

  get available() {
    return this.free.size > 0;
  }
  get size() {
    return this.visibleCount;
  }

  arrived(message: StoredMessage) {
    const group = this.groupOf(message);
    const { messages } = group;
    if (messages.length === 0 || messages.at(-1)!.key < message.key) messages.push(message);
    else
      messages.splice(
        messages.findIndex((other) => other.key > message.key),
        0,
        message,
      );
    this.update(group);
  }

  appeared(message: StoredMessage) {
    const group = this.groupOf(message);
    if (!group.visible.has(message.key)) this.visibleCount += 1;
    group.visible.add(message.key);
    this.update(group);
  }

  received(message: StoredMessage) {
    const group = this.groupOf(message);
    if (group.visible.delete(message.key)) this.visibleCount -= 1;
    group.inFlight += 1;
    this.update(group);
  }

  landed(message: StoredMessage) {
    const group = this.groupOf(message);
    group.inFlight -= 1;
    this.update(group);
  }

  removed(message: StoredMessage) {
    const group = this.groupOf(message);
    const index = group.messages.findIndex((other) => other.key === message.key);
    if (index >= 0) group.messages.splice(index, 1);
    if (group.visible.delete(message.key)) this.visibleCount -= 1;
    this.update(group);
    if (group.messages.length === 0) this.groups.delete(message.groupId!);
  }

  *candidates() {
    for (const group of this.free) {
      for (const message of group.messages) {
        if (!group.visible.has(message.key)) break;
        yield message;
      }
    }
  }

  private update(group: Group): void {
    const first = group.messages[0];
    if (first && group.inFlight === 0 && group.visible.has(first.key)) this.free.add(group);
    else this.free.delete(group);
  }

  private groupOf(message: StoredMessage): Group {
    let group = this.groups.get(message.groupId!);
    if (!group) {
      group = { messages: [], visible: new Set(), inFlight: 0 };
      this.groups.set(message.groupId!, group);
    }
    return group;
  }
}
