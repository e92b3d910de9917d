/* Which of the packs of protobuf.cpp it is. */
extern const char kPackId[], kPackOp[];
const char kPackId[] = ID;
const char kPackOp[] = OP;
