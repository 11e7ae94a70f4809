package peers.ipf;

/** One step of the scenario: it passes when its body ends without a word. */
record Step(Transaction transaction, String name, String title, Body body) {

    interface Body {
        void run(Trial trial) throws Failed;
    }

    String fullName() {
        return transaction.label() + "/" + name;
    }
}
