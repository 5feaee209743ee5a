# A control node needs nothing beside its node type; what only this one has goes here.
{ }
